"""Baseline and conv4 of Freteault et al. 2025 (Imaging Neuroscience 3, imag_a_00525), as listed."""

from __future__ import annotations

from dataclasses import dataclass

CITATION = "Freteault et al. 2025, Imaging Neuroscience 3, imag_a_00525"


@dataclass(frozen=True)
class Measure:
    """A brain region and a summary over its targets: `scale` and `statistic` name columns."""

    name: str
    scale: str
    statistic: str


@dataclass(frozen=True)
class Cell:
    """R² of one stage: mean over repeated trainings, and the best one; None if there is none."""

    mean: float | None = None
    best: float | None = None


BRAIN_BEST = Measure("whole brain, best parcel", "MIST_ROI", "max")
BRAIN_MEAN = Measure("whole brain, mean parcel", "MIST_ROI", "mean")
STG_BEST = Measure("STG, best voxel", "auditory_Voxels", "max")
STG_MEAN = Measure("STG, mean voxel", "auditory_Voxels", "mean")

# Published R² of subjects 1 to 6, at their final hyper-parameters, on concatenated runs of season
# 4 of Friends: baseline, mean and best training; conv4, mean and best. -: not published. 210
# parcels, or 556 voxels of the superior temporal gyrus (STG).
_PUBLISHED = {
    BRAIN_BEST: """
        0.136 0.204 0.213 0.222
        0.204 0.282 0.274 0.287
        0.313 0.374 0.372 0.402
        0.299 0.332 0.333 0.350
        0.063 0.090 - -
        0.181 0.228 0.218 0.230""",
    BRAIN_MEAN: """
        -0.019 0.022 0.026 -
        -0.003 0.029 0.028 -
        -0.001 0.038 0.028 0.045
        0.012 0.032 0.025 -
        -0.021 - - -
        0.004 0.024 0.019 -""",
    STG_BEST: """
        0.309 0.366 0.395 0.407
        0.343 0.381 0.421 0.429
        0.415 0.451 0.463 0.475
        0.382 0.408 0.444 0.448
        0.213 0.259 - -
        0.325 0.349 0.368 0.384""",
    STG_MEAN: """
        0.099 0.147 0.165 -
        0.105 0.144 0.178 -
        0.207 0.247 0.257 0.265
        0.156 0.194 0.212 -
        0.046 0.086 - -
        0.153 0.166 0.177 0.190""",
}


def _cells(line: str) -> tuple[Cell, Cell]:
    values = [None if word == "-" else float(word) for word in line.split()]
    return Cell(*values[:2]), Cell(*values[2:])


# By measure and subject: baseline and conv4.
PUBLISHED = {
    measure: {subject: _cells(line) for subject, line in enumerate(lines.split("\n")[1:], 1)}
    for measure, lines in _PUBLISHED.items()
}

# Final hyper-parameters: TRs of a window and delays of the read-out, by scale and subject. Their
# learning rates cannot be determined from the table, which has only four decimals.
FINAL_SETTINGS: dict[str, dict[int, tuple[int, int]]] = {
    "MIST_ROI": {1: (80, 7), 2: (80, 7), 3: (70, 5), 4: (80, 6), 5: (60, 7), 6: (70, 6)},
    "auditory_Voxels": {1: (80, 6), 2: (80, 7), 3: (70, 5), 4: (80, 6), 5: (70, 6), 6: (70, 6)},
}

# Gains from best to best training, over subjects with both.
LISTED_BEST_GAINS = {BRAIN_BEST: (0.002, 0.03), STG_BEST: (0.02, 0.05)}
