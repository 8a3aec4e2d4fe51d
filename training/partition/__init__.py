"""Variance partitioning: what a model explains beyond low-level features of the sound.

A model that predicts auditory cortex may do so because it follows the loudness. Variance
partitioning combines its activations with the sound's envelope, spectrogram and modulation
spectrum, and measures the loss when one of these feature spaces is left out.

    spaces.py                     sound features for each TR; standardised, reduced and delayed
    banded_ridge.py               a regression with its own regularisation for each space
    variance.py                   R² alone, unique and shared
    one_subject.py                all of this for one model and subject
    partition_folder.py           for an evaluation: ``python -m training partition``
"""

from training.partition.partition_folder import partition
from training.partition.settings import PartitionSettings
from training.partition.variance import Decomposition, decompose

__all__ = ["Decomposition", "PartitionSettings", "decompose", "partition"]
