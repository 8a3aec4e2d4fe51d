"""Simulated brain with known ground truth: recordings in, fMRI files in the usual layouts out.

Real recordings become a continuous "film" per run, a selected part of the parcels of an atlas
responds to known features of it, and noise of known variance is added. The output has the format of
fMRIPrep or of the CNeuroMod h5 files, so that the whole of preparation, fitting and evaluation can
be compared with the best possible score: :func:`read_truth`.
"""

from training.simulation.experiment import simulate
from training.simulation.settings import KINDS, SimulationSettings
from training.simulation.truth import Truth, read_truth

__all__ = ["KINDS", "SimulationSettings", "Truth", "read_truth", "simulate"]
