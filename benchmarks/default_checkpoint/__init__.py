"""How the embedded default came about, and what it is worth: ``make default-checkpoint``.

``alignment`` fine-tunes the pretrained network on responses to natural sounds, and controls on what
is no brain; ``components`` says how well a network predicts the responses; ``tasks`` how well its
embeddings serve; ``shipping`` makes the file. The page is written from their numbers alone.
"""
