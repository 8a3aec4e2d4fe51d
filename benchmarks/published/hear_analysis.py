"""The authors' tables of HEAR scores, and two analyses of them.

A table has a row for each model and a column for each score of heareval. A model is a kind ("conv4
individual", "conv4 group", "baseline", ...), a subject and an atlas. Missing scores stay missing.

The authors compare 24 brain-aligned models (12 of single subjects, 12 of groups) with one number,
the median of 12 baselines, so that the idiosyncrasies of that median count 24 times. In matched
pairs each model is compared with the baseline of its own subject and atlas.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.leaderboard import Leaderboard, rank_gain
from benchmarks.hear.official_tasks import OFFICIAL_TASKS

TABLES = ("metrics.csv", "metrics_145.csv")  # subjects 2, 3, 6; subjects 1, 4, 5
GROUP_TABLE = "metrics_group.csv"
ATLASES = ("wholebrain", "STG")
SUBJECTS = tuple(f"sub-{number:02}" for number in range(1, 7))
BASELINE, INDIVIDUAL, GROUP = "baseline", "conv4 individual", "conv4 group"
STAGES = ("conv7", "conv6", "conv5")  # fine-tuned from a deeper stage than conv4, individual only
ATLAS_BY_ATLAS = "conv4, group, atlas by atlas"
ALPHA = 0.05
TASKS = tuple(task.name for task in OFFICIAL_TASKS)
Models = dict[tuple[str, str, str], dict[str, float]]


def read_models(folder: Path) -> Models:
    """Scores by ``(kind, subject, atlas)``, then by task.

    Raises
    ------
    FileNotFoundError
        If a table does not exist.
    ValueError
        If a table lacks columns, or a model occurs twice.
    """
    models: Models = {}
    for name in (*TABLES, GROUP_TABLE):
        for _, row in _read(folder / name).iterrows():
            aligned = GROUP if name == GROUP_TABLE else INDIVIDUAL
            tuned = str(row["finetune"])
            kind = {"no": BASELINE, "conv4": aligned}.get(tuned, tuned)
            key = (kind, row["subject"], row["atlas"])
            if key in models:
                raise ValueError(f"{folder / name}: {' '.join(key)} occurs twice")
            models[key] = {}
            for task in OFFICIAL_TASKS:
                column = f"{task.folder}_test_{task.score}"
                score = row.get(f"{column}_mean", row.get(column, np.nan))  # mean over folds
                if np.isfinite(score):
                    models[key][task.name] = float(score)
    return models


def of_kind(
    models: Models, kind: str, task: str, atlases: tuple[str, ...] = ATLASES
) -> NDArray[np.float64]:
    """Scores of all models of a kind, by atlas and subject; NaN if missing."""
    keys = [(kind, subject, atlas) for atlas in atlases for subject in SUBJECTS]
    return np.array([models.get(key, {}).get(task, np.nan) for key in keys])


def rank_gains(
    models: Models, leaderboard: Leaderboard, together: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Ranks gained over the median baseline, ``(n_models, n_tasks)`` for each kind; NaN if
    missing."""
    gains: dict[str, NDArray[np.float64]] = {}
    for kind in (INDIVIDUAL, GROUP):
        columns = []
        for task in TASKS:
            median = float(np.nanmedian(of_kind(models, BASELINE, task)))
            published = leaderboard.of_task(task)
            columns.append(
                [
                    rank_gain(score, median, published, together=together)
                    if np.isfinite(score)
                    else np.nan
                    for score in of_kind(models, kind, task)
                ]
            )
        gains[kind] = np.array(columns).T
    return gains


def tests_against_the_median(models: Models) -> dict[str, tuple[float, float]]:
    """By task: median difference of the 24 models from the median baseline, and Wilcoxon's p.

    As in the authors' analysis, a task with a missing model has no p (NaN).
    """
    results = {}
    for task in TASKS:
        aligned = np.concatenate([of_kind(models, kind, task) for kind in (INDIVIDUAL, GROUP)])
        differences = aligned - np.nanmedian(of_kind(models, BASELINE, task))
        complete = bool(np.isfinite(differences).all())
        p = wilcoxon_p(differences) if complete else np.nan
        results[task] = (float(np.nanmedian(differences)), p)
    return results


def matched_gains(models: Models, kind: str, task: str) -> NDArray[np.float64]:
    """Each model minus the baseline of the same subject and atlas, for available pairs."""
    differences = of_kind(models, kind, task) - of_kind(models, BASELINE, task)
    return differences[np.isfinite(differences)]


def authors_figures(models: Models, leaderboard: Leaderboard) -> dict[str, float]:
    """Results of the authors' analysis, by the names of ``PUBLISHED`` in :mod:`.hear`."""
    tests = tests_against_the_median(models).values()
    better = sum(p < ALPHA and difference > 0 for difference, p in tests)
    worse = sum(p < ALPHA and difference < 0 for difference, p in tests)
    gains = rank_gains(models, leaderboard)
    n_subjects = len(SUBJECTS)
    whole_brain, stg = slice(0, n_subjects), slice(n_subjects, None)
    both = np.stack([gains[INDIVIDUAL], gains[GROUP]])
    subjects_that_gain = [wilcoxon_p(row) < ALPHA and np.nanmean(row) > 0 for row in both[0]]
    return {
        "tasks better": better,
        "tasks worse": worse,
        "tasks neither": len(TASKS) - better - worse,
        "places gained, individual": np.nanmean(both[0]),
        "places gained, group": np.nanmean(both[1]),
        "places gained, whole brain": np.nanmean(both[:, whole_brain]),
        "places gained, STG": np.nanmean(both[:, stg]),
        "places gained, STG, individual": np.nanmean(both[0, stg]),
        "places gained, STG, group": np.nanmean(both[1, stg]),
        "places gained on Gunshot, most": np.nanmax(both[:, :, TASKS.index("Gunshot")]),
        "p, group against individual": wilcoxon_p((both[1] - both[0]).ravel()),
        "subjects that gain, whole brain, individual": sum(subjects_that_gain[whole_brain]),
        "subjects that gain, STG, individual": sum(subjects_that_gain[stg]),
    }


def means_over_tasks(models: Models, leaderboard: Leaderboard) -> dict[str, float]:
    """Mean over the tasks of the median (or best) of a kind of models, by kind."""
    kinds = {"baseline": BASELINE, **{stage: stage for stage in STAGES}}
    kinds |= {"conv4, individual": INDIVIDUAL, "conv4, group": GROUP}
    means = {
        name: np.mean([np.nanmedian(of_kind(models, kind, task)) for task in TASKS])
        for name, kind in kinds.items()
    }
    means[ATLAS_BY_ATLAS] = np.mean(
        [np.nanmedian(of_kind(models, GROUP, t, (atlas,))) for t in TASKS for atlas in ATLASES]
    )
    published = [leaderboard.of_task(task) for task in TASKS]
    means["leaderboard, median"] = np.mean([np.median(own) for own in published])
    means["leaderboard, best"] = np.mean([max(own) for own in published])
    return {name: float(mean) for name, mean in means.items()}


def task_figures(models: Models, leaderboard: Leaderboard, task: str) -> dict[str, float]:
    """The figures of one task. Ranks: of medians, 1 is the best."""
    baseline, individual = (of_kind(models, kind, task) for kind in (BASELINE, INDIVIDUAL))
    published = np.array(leaderboard.of_task(task))
    gains = matched_gains(models, INDIVIDUAL, task)
    figures = {
        "baseline median": np.nanmedian(baseline),
        "baseline min": np.nanmin(baseline),
        "baseline max": np.nanmax(baseline),
    }
    for name, kind in (("individual", INDIVIDUAL), ("group", GROUP)):
        for place, atlas in (("whole brain", "wholebrain"), ("STG", "STG")):
            figures[f"{name}, {place}"] = np.nanmedian(of_kind(models, kind, task, (atlas,)))
    return {
        **{name: float(value) for name, value in figures.items()},
        "best aligned model": float(np.nanmax(individual)),
        "leaderboard median": float(np.median(published)),
        "leaderboard best": float(published.max()),
        "rank of baseline": 1 + int((published > np.nanmedian(baseline)).sum()),
        "rank of individual": 1 + int((published > np.nanmedian(individual)).sum()),
        "leaderboard models": len(published),
        "matched gain": float(gains.mean()),
        "p of matched gain": wilcoxon_p(gains),
    }


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the signed-rank test; missing values are left out."""
    return _signed_rank_p(tuple(differences[np.isfinite(differences)].tolist()))


@cache  # exact tests of tied differences take a second
def _signed_rank_p(differences: tuple[float, ...]) -> float:
    from training.statistics import compare_runs

    column = np.array(differences)[:, None]
    # The interval is not used: few resamples.
    return float(compare_runs(column, np.zeros_like(column), n_resamples=400).p[0])


def _read(path: Path) -> Any:
    import pandas

    try:
        table = pandas.read_csv(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing; the folder of the data is given by --data or BRAINSOUNDNET_DATA"
        ) from error
    if missing := sorted({"subject", "finetune", "atlas"} - set(table.columns)):
        raise ValueError(f"{path} has no columns {', '.join(missing)}")
    return table
