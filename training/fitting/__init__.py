"""Fitting: from a recipe to a network that predicts responses, and to its checkpoint.

``recipe`` defines the settings, ``assembly`` builds what they name, ``fit`` trains, ``fit_folder``
keeps what a fit needs to go on, ``export`` writes the checkpoint.
"""
