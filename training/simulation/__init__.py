"""A brain whose truth is known: recordings in, fMRI files of the usual layouts out.

Real recordings become a continuous "film" per run, a chosen part of the parcels of an atlas
responds to known features of it, and noise of a known share is added. What is written looks like
the output of fMRIPrep or like the CNeuroMod h5 files, so that the whole of preparation, fitting and
evaluation can be held against the best score that is possible: :func:`read_truth`.
"""

from training.simulation.experiment import simulate
from training.simulation.settings import KINDS, SimulationSettings
from training.simulation.truth import Truth, read_truth

__all__ = ["KINDS", "SimulationSettings", "Truth", "read_truth", "simulate"]
