"""Self-supervised training of SoundNet on a folder of audio: nobody labels anything.

``recipe`` says all that decides the result. ``crops`` draws pairs of crops from a corpus,
``augmentation`` changes them, ``targets`` describes what is heard in them by spectra and modulation
spectra, ``objectives`` compares the network with these descriptions and crops with each other,
``blocked_training`` is the fast way through the lower stages, ``loop`` the training itself.
"""
