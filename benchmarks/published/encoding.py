"""Gains of fine-tuning from the authors' table of trainings, compared with the published ones.

The table has a row for each scale (parcels or voxels), subject and setting of the hyper-parameters,
with the mean and the best of the repeated runs: ``no_max`` is the best target of the baseline, mean
over repeats; ``conv4_meanbest`` the mean target of the best repeat, fine-tuned from conv4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


TABLE = "brain_encoding_runs.csv"
BASELINE, TUNED = "no", "conv4"
TUNED_STAGES = ("conv7", "conv6", "conv5", "conv4")
PUBLISHED_DIGITS, TABLE_DIGITS = 3, 4
# A figure is reproduced if both can be roundings of one number.
TOLERANCE = 0.5 * (10.0**-PUBLISHED_DIGITS + 10.0**-TABLE_DIGITS)


def read_columns(path: Path, needed: Collection[str]) -> Any:
    """A table of the authors, a DataFrame.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If columns are missing.
    """
    import pandas

    try:
        table = pandas.read_csv(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing; the folder of the data is given by --data or BRAINSOUNDNET_DATA"
        ) from error
    if missing := sorted(set(needed) - set(table.columns)):
        raise ValueError(f"{path} has no columns {', '.join(missing)}")
    return table


def read_runs(path: Path) -> Any:
    """The table of runs, a DataFrame; errors as for :func:`read_columns`."""
    summaries = ("n", "max", "maxbest", "mean", "meanbest")
    stages = (BASELINE, *TUNED_STAGES)
    values = [f"{stage}_{summary}" for stage in stages for summary in summaries]
    return read_columns(path, ["scale", "sub", "bs", "ks", *values])


def at_final_settings(runs: Any) -> Any:
    """The row for each scale and subject at the subject's final hyper-parameters.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    import pandas

    rows = []
    for scale, subjects in FINAL_SETTINGS.items():
        for subject, (window_trs, n_delays) in subjects.items():
            own = runs[(runs["scale"] == scale) & (runs["sub"] == subject)]
            own = own[(own["bs"] == window_trs) & (own["ks"] == n_delays)]
            if len(own) != 1:
                raise ValueError(
                    f"expected one row of {scale} for subject {subject} with windows of "
                    f"{window_trs} TRs and {n_delays} delays, got {len(own)}"
                )
            rows.append(own)
    return pandas.concat(rows, ignore_index=True)


def cell(runs: Any, measure: Measure, subject: int, stage: str) -> Cell:
    """The table's values for a stage; None if nothing was logged."""
    row = runs[(runs["scale"] == measure.scale) & (runs["sub"] == subject)].iloc[0]
    mean, best = (row[f"{stage}_{measure.statistic}{kind}"] for kind in ("", "best"))
    return Cell(*(None if np.isnan(value) else float(value) for value in (mean, best)))


def is_reproduced(published: float, redone: float | None) -> bool:
    """Whether both may be roundings of one number.

    Examples
    --------
    >>> is_reproduced(0.136, 0.1356), is_reproduced(0.136, 0.1366), is_reproduced(0.136, None)
    (True, False, False)
    """
    return redone is not None and abs(redone - published) <= TOLERANCE + 1e-9


def figures(runs: Any) -> Iterator[dict[str, Any]]:
    """Every listed figure: measure, subject, stage, kind, published, recomputed.

    Parameters
    ----------
    runs : DataFrame
        See :func:`at_final_settings`.
    """
    for measure, subjects in PUBLISHED.items():
        for subject, listed in subjects.items():
            for stage, published in zip((BASELINE, TUNED), listed, strict=True):
                redone = cell(runs, measure, subject, stage)
                for kind in ("mean", "best"):
                    figure = getattr(published, kind)
                    if figure is not None:
                        yield {
                            "measure": measure.name,
                            "subject": subject,
                            "stage": stage,
                            "of runs": kind,
                            "published": figure,
                            "redone": getattr(redone, kind),
                        }


def gains(runs: Any, kind: str) -> list[dict[str, str]]:
    """A row for each measure and subject: both stages and the gain, published and recomputed.

    Parameters
    ----------
    runs : DataFrame
        See :func:`at_final_settings`.
    kind : str
        {"mean", "best"}: mean over repeated runs, or the best of them.
    """
    rows = []
    for measure, subjects in PUBLISHED.items():
        for subject, listed in subjects.items():
            redone = [getattr(cell(runs, measure, subject, s), kind) for s in (BASELINE, TUNED)]
            published = [getattr(each, kind) for each in listed]
            ours, theirs = _gain(*redone), _gain(*published)
            difference = None if ours is None or theirs is None else ours - theirs
            rows.append(
                {
                    "measure": measure.name,
                    "subject": f"sub-{subject:02}",
                    "baseline published": _text(published[0], PUBLISHED_DIGITS),
                    "baseline redone": _text(redone[0], TABLE_DIGITS, "not logged"),
                    "conv4 published": _text(published[1], PUBLISHED_DIGITS),
                    "conv4 redone": _text(redone[1], TABLE_DIGITS, "not logged"),
                    "gain published": _text(theirs, PUBLISHED_DIGITS),
                    "gain redone": _text(ours, TABLE_DIGITS),
                    "difference": _text(difference, TABLE_DIGITS),
                }
            )
    return rows


def pairs(runs: Any, measure: Measure, kind: str, stage: str = TUNED) -> NDArray[np.float64]:
    """Scores of a stage and the baseline for all subjects with both, ``(n_subjects, 2)``."""
    rows = [
        [getattr(cell(runs, measure, subject, each), kind) for each in (stage, BASELINE)]
        for subject in PUBLISHED[measure]
    ]
    return np.array([row for row in rows if None not in row], dtype=np.float64)


def paired(runs: Any, kind: str) -> list[dict[str, Any]]:
    """Gains of conv4 over subjects, measure by measure: interval, Wilcoxon test, effect size."""
    from training.statistics import compare_runs

    rows = []
    for measure in PUBLISHED:
        both = pairs(runs, measure, kind)
        result = compare_runs(both[:, :1], both[:, 1:])
        rows.append(
            {
                "measure": measure.name,
                "repeated runs": kind,
                "subjects": len(both),
                "mean gain": float(result.difference[0]),
                "95 % from": float(result.low[0]),
                "to": float(result.high[0]),
                "interval": str(result.interval_method[0]),
                "p (Wilcoxon)": float(result.p[0]),
                "effect size": float(result.effect_size[0]),
            }
        )
    return rows


def depths(runs: Any) -> list[dict[str, Any]]:
    """Mean gain over subjects by the first fine-tuned stage, mean of repeated trainings."""
    rows = []
    for stage in TUNED_STAGES:
        row: dict[str, Any] = {"fine-tuned from": stage}
        for measure in PUBLISHED:
            tuned, baseline = pairs(runs, measure, "mean", stage).T
            row[measure.name] = float(np.mean(tuned - baseline))
        rows.append(row)
    return rows


def run_encoding(data: Path) -> dict[str, Any]:
    """The document of :mod:`benchmarks.results`; `data` is the folder of the real recordings."""
    runs = at_final_settings(read_runs(data / "hear_results" / TABLE))
    return {
        "title": "Brain encoding: baseline against conv4",
        "rows": gains(runs, "mean"),
        "tables": [
            {"title": "The best of the repeated runs", "rows": gains(runs, "best")},
            {"title": "Over subjects", "rows": [*paired(runs, "mean"), *paired(runs, "best")]},
            {"title": "Gain by depth, mean over subjects and repeated runs", "rows": depths(runs)},
        ],
        "notes": notes(runs),
        "details": {"figures": list(figures(runs))},
    }


def notes(runs: Any) -> list[str]:
    """Notes for the reader of the tables."""
    from training.statistics.paired import smallest_wilcoxon_p

    listed = list(figures(runs))
    missed = [each for each in listed if not is_reproduced(each["published"], each["redone"])]
    n_subjects = len(pairs(runs, next(iter(PUBLISHED)), "mean"))
    best_gains = []
    for measure, (low, high) in LISTED_BEST_GAINS.items():
        tuned, baseline = pairs(runs, measure, "best").T
        gain = tuned - baseline
        best_gains.append(
            f"Best run to best run, {measure.name}: gains of {gain.min():.4f} to {gain.max():.4f}, "
            f"listed as about {low:g} to {high:g}."
        )
    return [
        f"Of the runs that {CITATION} logged: R² on concatenated runs of season 4, at each "
        "subject's final hyper-parameters. Published: listed from that log, three decimals; "
        f"redone: from `{TABLE}`, four decimals. The main table is of means over repeated runs "
        f"({_repeats(runs, BASELINE)} of the baseline, {_repeats(runs, TUNED)} of conv4). Many "
        "repeats of the baseline are poor, so best against best is the fairer comparison.",
        f"{len(listed) - len(missed)} of {len(listed)} listed figures are reproduced: both are "
        "roundings of one number." + "".join(f" Not reproduced: {each}." for each in missed),
        "The table holds the mean and the best of repeated runs, not single runs: what is redone "
        "is the choice of rows, the gains and the statistics over subjects, not the R² itself.",
        *best_gains,
        "sub-05 has no conv4 runs in the log, so no gain of sub-05 can be redone.",
        "Over subjects: mean gain with a 95 % interval, two-sided Wilcoxon signed-rank test and "
        f"matched-pairs rank-biserial correlation. With {n_subjects} subjects p cannot be below "
        f"{smallest_wilcoxon_p(n_subjects):g}, however clear the gain. Repeats within a subject "
        "cannot be compared so, as they are not in the table one by one.",
        "Figures of the paper that need single targets or single test runs (gains of named "
        "parcels, numbers of significant parcels and voxels, scores averaged over the 48 test "
        "runs) cannot be redone from this table. Nor can learning rates be read from it: they are "
        "rounded to four decimals.",
    ]


def _gain(baseline: float | None, tuned: float | None) -> float | None:
    return None if baseline is None or tuned is None else tuned - baseline


def _text(value: float | None, digits: int, missing: str = "") -> str:
    return missing if value is None else f"{value:.{digits}f}"


def _repeats(runs: Any, stage: str) -> str:
    numbers = runs[f"{stage}_n"][runs[f"{stage}_n"] > 0]
    return f"{int(numbers.min())} to {int(numbers.max())}"
