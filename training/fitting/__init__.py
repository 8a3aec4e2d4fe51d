"""Fitting: from a recipe to a network that predicts responses, and to its checkpoint.

``recipe`` defines the settings, ``assembly`` builds what they name, ``fit`` trains, ``run_folder``
keeps what a fit needs to go on, ``export`` writes the checkpoint.
"""
