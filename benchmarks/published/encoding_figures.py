"""Baseline and conv4 of Freteault et al. 2025 (Imaging Neuroscience 3, imag_a_00525), as listed.

R² of the authors' logged trainings at each subject's final hyper-parameters, on concatenated runs
of *Friends* season 4: "best target" is the best of 210 parcels or of 556 voxels of the superior
temporal gyrus (STG), "mean target" the mean over them. A cell holds the mean over repeated
trainings and, if listed, the best one.
"""

from __future__ import annotations

from dataclasses import dataclass

CITATION = "Freteault et al. 2025, Imaging Neuroscience 3, imag_a_00525"


@dataclass(frozen=True)
class Measure:
    """A brain region and a summary statistic over its targets.

    Attributes
    ----------
    name : str
        Description.
    scale, statistic : str
        Names in the table of trainings.
    """

    name: str
    scale: str
    statistic: str


@dataclass(frozen=True)
class Cell:
    """R² of one stage: mean over trainings and best one; None if not listed."""

    mean: float | None = None
    best: float | None = None


@dataclass(frozen=True)
class Figures:
    """Listed values for one measure and subject."""

    baseline: Cell
    conv4: Cell


BRAIN_BEST = Measure("whole brain, best parcel", "MIST_ROI", "max")
BRAIN_MEAN = Measure("whole brain, mean parcel", "MIST_ROI", "mean")
STG_BEST = Measure("STG, best voxel", "auditory_Voxels", "max")
STG_MEAN = Measure("STG, mean voxel", "auditory_Voxels", "mean")

PUBLISHED: dict[Measure, dict[int, Figures]] = {
    BRAIN_BEST: {
        1: Figures(Cell(0.136, 0.204), Cell(0.213, 0.222)),
        2: Figures(Cell(0.204, 0.282), Cell(0.274, 0.287)),
        3: Figures(Cell(0.313, 0.374), Cell(0.372, 0.402)),
        4: Figures(Cell(0.299, 0.332), Cell(0.333, 0.350)),
        5: Figures(Cell(0.063, 0.090), Cell()),
        6: Figures(Cell(0.181, 0.228), Cell(0.218, 0.230)),
    },
    BRAIN_MEAN: {
        1: Figures(Cell(-0.019, 0.022), Cell(0.026)),
        2: Figures(Cell(-0.003, 0.029), Cell(0.028)),
        3: Figures(Cell(-0.001, 0.038), Cell(0.028, 0.045)),
        4: Figures(Cell(0.012, 0.032), Cell(0.025)),
        5: Figures(Cell(-0.021), Cell()),
        6: Figures(Cell(0.004, 0.024), Cell(0.019)),
    },
    STG_BEST: {
        1: Figures(Cell(0.309, 0.366), Cell(0.395, 0.407)),
        2: Figures(Cell(0.343, 0.381), Cell(0.421, 0.429)),
        3: Figures(Cell(0.415, 0.451), Cell(0.463, 0.475)),
        4: Figures(Cell(0.382, 0.408), Cell(0.444, 0.448)),
        5: Figures(Cell(0.213, 0.259), Cell()),
        6: Figures(Cell(0.325, 0.349), Cell(0.368, 0.384)),
    },
    STG_MEAN: {
        1: Figures(Cell(0.099, 0.147), Cell(0.165)),
        2: Figures(Cell(0.105, 0.144), Cell(0.178)),
        3: Figures(Cell(0.207, 0.247), Cell(0.257, 0.265)),
        4: Figures(Cell(0.156, 0.194), Cell(0.212)),
        5: Figures(Cell(0.046, 0.086), Cell()),
        6: Figures(Cell(0.153, 0.166), Cell(0.177, 0.190)),
    },
}

# Final hyper-parameters: TRs of a window and delays of the read-out, by scale and subject. Their
# learning rates cannot be determined from the table, which has only four decimals.
FINAL_SETTINGS: dict[str, dict[int, tuple[int, int]]] = {
    "MIST_ROI": {1: (80, 7), 2: (80, 7), 3: (70, 5), 4: (80, 6), 5: (60, 7), 6: (70, 6)},
    "auditory_Voxels": {1: (80, 6), 2: (80, 7), 3: (70, 5), 4: (80, 6), 5: (70, 6), 6: (70, 6)},
}

# Gains from best to best training, over subjects with both.
LISTED_BEST_GAINS = {BRAIN_BEST: (0.002, 0.03), STG_BEST: (0.02, 0.05)}
