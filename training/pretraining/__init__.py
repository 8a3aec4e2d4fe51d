"""Self-supervised pretraining of SoundNet on unlabelled audio.

``recipe`` defines the settings. ``crops`` draws crops from a corpus, ``targets`` computes their
regression targets, ``batches`` augments them, ``objectives`` defines the losses,
``blocked_training`` is a fast implementation of the lower stages, ``loop`` the training loop,
``folder`` its files.
"""
