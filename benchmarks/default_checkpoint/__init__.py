"""Creation and evaluation of the embedded default checkpoint: ``make default-checkpoint``.

``alignment`` fine-tunes the pretrained network on responses to natural sounds, with control
targets; ``components`` scores the prediction of the responses; ``tasks`` scores the embeddings on
tasks; ``shipping`` writes the file. The page is generated from their numbers alone.
"""
