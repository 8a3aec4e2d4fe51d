"""HEAR scores of Freteault et al. 2025 (Imaging Neuroscience 3, imag_a_00525), as listed.

Two lists: results of the authors' own analysis, and of a second one on their scores, in which each
brain-aligned model is compared with the baseline of the same subject and atlas.
"""

from __future__ import annotations

from dataclasses import dataclass

CITATION = "Freteault et al. 2025, Imaging Neuroscience 3, imag_a_00525"


@dataclass(frozen=True)
class Listed:
    """A figure and its number of listed decimals."""

    value: float
    digits: int


# The authors' analysis, by the names in benchmarks.published.hear.
AUTHORS = {
    "tasks better": Listed(12, 0),
    "tasks worse": Listed(2, 0),
    "tasks neither": Listed(5, 0),
    "places gained, individual": Listed(1.95, 2),
    "places gained, group": Listed(2.11, 2),
    "places gained, whole brain": Listed(2.01, 2),
    "places gained, STG": Listed(2.06, 2),
    "places gained, STG, individual": Listed(1.7, 1),
    "places gained, STG, group": Listed(2.4, 1),
    "places gained on Gunshot, most": Listed(18, 0),
    "p, group against individual": Listed(0.128, 3),
    "subjects that gain, whole brain, individual": Listed(6, 0),
    "subjects that gain, STG, individual": Listed(3, 0),
}
BETTER = frozenset(
    {
        "Beijing Opera",
        "CREMA-D",
        "ESC-50",
        "FSD50K",
        "GTZAN Genre",
        "GTZAN Music/Speech",
        "Gunshot",
        "Libricount",
        "NSynth Pitch 50h",
        "NSynth Pitch 5h",
        "Speech commands 5h",
        "Speech commands full",
    }
)
WORSE = frozenset({"DCASE 2016", "VoxLingua107 top 10"})

# The second analysis. For group models the medians of the two atlases are averaged.
ATLAS_BY_ATLAS = "conv4, group, atlas by atlas"
# Means over the tasks of medians over models:
MATCHED_MEANS = {
    "baseline": Listed(0.4497, 4),
    "conv7": Listed(0.4533, 4),
    "conv6": Listed(0.4551, 4),
    "conv5": Listed(0.4593, 4),
    "conv4, individual": Listed(0.4617, 4),
    ATLAS_BY_ATLAS: Listed(0.4628, 4),
    "leaderboard, median": Listed(0.604, 3),
    "leaderboard, best": Listed(0.832, 3),
}
MATCHED_COUNTS = {"tasks better": Listed(10, 0), "tasks worse": Listed(0, 0)}

# Task by task. Ranks are on the leaderboard of 29, 1 the best; gain and p of matched pairs.
COLUMNS = (
    "baseline median",
    "baseline min",
    "baseline max",
    "individual, whole brain",
    "individual, STG",
    "group, whole brain",
    "group, STG",
    "best aligned model",
    "leaderboard median",
    "leaderboard best",
    "rank of baseline",
    "rank of individual",
    "leaderboard models",
    "matched gain",
    "p of matched gain",
)
# A task, the best published model, and on the next line its figures.
TABLE = """
Gunshot | GURA Fuse wav2vec2
0.799 0.756 0.881 0.881 0.871 0.835 0.879 0.931 0.866 0.967 25 13 29 0.061 0.0034
Beijing Opera | OpenL3
0.928 0.848 0.949 0.943 0.932 0.945 0.943 0.958 0.936 0.975 22 15 29 0.020 0.0195
GTZAN Music/Speech | CVSSP PANNS
0.872 0.828 0.906 0.907 0.876 0.903 0.898 0.915 0.941 0.992 28 27 28 0.007 0.4238
Mridangam Stroke | GURA Fuse Cat H+w+C (time)
0.937 0.913 0.940 0.937 0.937 0.937 0.939 0.941 0.947 0.975 19 19 28 0.002 0.5186
Mridangam Tonic | IUT-CSE MLP (keyword)
0.817 0.806 0.822 0.810 0.814 0.814 0.813 0.817 0.826 0.942 21 21 28 -0.005 0.3125
DCASE 2016 | CP-JKU PaSST 2lvl+mel
0.071 0.049 0.099 0.077 0.058 0.062 0.061 0.087 0.617 0.925 25 25 28 -0.007 0.1294
ESC-50 | CP-JKU PaSST 2lvl+mel
0.421 0.399 0.436 0.438 0.432 0.436 0.445 0.447 0.587 0.948 24 23 29 0.014 0.0024
VoxLingua107 top 10 | GURA Fuse Cat H+w+C
0.150 0.134 0.172 0.139 0.149 0.141 0.139 0.163 0.259 0.720 27 27 29 -0.007 0.1763
NSynth Pitch 5h | GURA Avg Hubert+Crepe
0.161 0.146 0.184 0.171 0.182 0.169 0.189 0.210 0.386 0.878 28 26 29 0.014 0.0894
Maestro 5h | GURA Cat H+w+C
0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.020 0.469 24 24 26 0.000 0.5000
Speech commands 5h | IUT-CSE MLP (keyword)
0.463 0.447 0.481 0.478 0.489 0.460 0.487 0.516 0.737 0.976 26 24 29 0.021 0.0151
Libricount | Logitech AI SERAB BYOL-S
0.377 0.372 0.390 0.398 0.391 0.395 0.394 0.403 0.639 0.785 29 29 29 0.015 0.0010
GTZAN Genre | CP-JKU PaSST 2lvl+mel
0.416 0.396 0.431 0.451 0.428 0.434 0.435 0.460 0.747 0.883 28 28 28 0.026 0.0005
CREMA-D | GURA Fuse Hubert
0.453 0.447 0.460 0.461 0.461 0.458 0.460 0.463 0.565 0.752 24 22 28 0.006 0.0122
Vocal Imitation | GURA Fuse Cat H+w+C (time)
0.037 0.036 0.039 0.040 0.038 0.039 0.041 0.040 0.111 0.215 30 29 29 0.002 0.0625
Speech commands full | IUT-CSE MLP (keyword)
0.547 0.523 0.567 0.568 0.561 0.558 0.578 0.578 0.763 0.978 23 23 29 0.017 0.0210
NSynth Pitch 50h | CREPE
0.298 0.275 0.320 0.327 0.338 0.335 0.344 0.359 0.606 0.900 29 26 29 0.034 0.0005
Beehive | Sony UDONS ViT
0.620 0.558 0.651 0.605 0.585 0.630 0.620 0.663 0.593 0.878 5 7 11 -0.020 0.0640
FSD50K | CP-JKU PaSST 2lvl+mel
0.179 0.176 0.185 0.186 0.184 0.186 0.187 0.188 0.320 0.641 24 24 26 0.005 0.0093
"""


def listed_by_task() -> dict[str, dict[str, Listed]]:
    """The table: by task, then by column.

    Examples
    --------
    >>> listed_by_task()["Gunshot"]["p of matched gain"]
    Listed(value=0.0034, digits=4)
    """
    return {
        task: {
            column: Listed(float(cell), len(cell.partition(".")[2]))
            for column, cell in zip(COLUMNS, cells, strict=True)
        }
        for task, _, cells in _rows()
    }


def listed_best_models() -> dict[str, str]:
    """By task, the published model listed as best."""
    return {task: best for task, best, _ in _rows()}


def _rows() -> list[tuple[str, str, list[str]]]:
    lines = TABLE.strip().splitlines()
    heads = [line.split(" | ") for line in lines[::2]]
    return [
        (task, best, line.split()) for (task, best), line in zip(heads, lines[1::2], strict=True)
    ]
