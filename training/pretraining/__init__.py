"""Self-supervised pretraining of SoundNet on unlabelled audio.

``recipe`` defines the settings. ``crops`` draws pairs of crops from a corpus, ``augmentation``
augments them, ``targets`` computes spectra and modulation spectra as regression targets,
``objectives`` defines the losses on these targets and between crops, ``blocked_training`` is a fast
implementation of the lower stages, ``loop`` the training loop.
"""
