"""Analyses of the authors' HEAR scores: theirs, and one of matched pairs.

The authors compare 24 brain-aligned models (12 of single subjects, 12 of groups) with one number,
the median of 12 baselines, so that the idiosyncrasies of that median count 24 times. In matched
pairs each model is compared with the baseline of its own subject and atlas.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.leaderboard import Leaderboard, rank_gain
from benchmarks.hear.official_tasks import OFFICIAL_TASKS
from benchmarks.published.hear_figures import ATLAS_BY_ATLAS, COLUMNS
from benchmarks.published.hear_tables import (
    ATLASES,
    BASELINE,
    GROUP,
    INDIVIDUAL,
    STAGES,
    SUBJECTS,
    of_kind,
)

ALPHA = 0.05
TASKS = tuple(task.name for task in OFFICIAL_TASKS)
Models = dict[tuple[str, str, str], dict[str, float]]


def rank_gains(
    models: Models, leaderboard: Leaderboard, together: bool = True
) -> dict[str, NDArray[np.float64]]:
    """Ranks gained over the median baseline, ``(n_models, n_tasks)`` for each kind; NaN if
    missing."""
    medians = {task: float(np.nanmedian(of_kind(models, BASELINE, task))) for task in TASKS}
    return {
        kind: np.array(
            [
                [
                    rank_gain(score, medians[task], leaderboard.of_task(task), together=together)
                    if np.isfinite(score)
                    else np.nan
                    for score in of_kind(models, kind, task)
                ]
                for task in TASKS
            ]
        ).T
        for kind in (INDIVIDUAL, GROUP)
    }


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
    """Results of the authors' analysis, by the names of :data:`AUTHORS`."""
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


def mean_over_tasks(models: Models, leaderboard: Leaderboard, name: str) -> float:
    """Mean over the tasks of a median (or best) over models; names of :data:`MATCHED_MEANS`."""
    kinds = {"conv4, individual": INDIVIDUAL, "conv4, group": GROUP, "baseline": BASELINE}
    kinds |= {stage: stage for stage in STAGES}
    if name in kinds:
        return float(np.mean([np.nanmedian(of_kind(models, kinds[name], task)) for task in TASKS]))
    if name == ATLAS_BY_ATLAS:
        medians = [
            [np.nanmedian(of_kind(models, GROUP, task, (atlas,))) for atlas in ATLASES]
            for task in TASKS
        ]
        return float(np.mean(medians))
    scores = [np.array(leaderboard.of_task(task)) for task in TASKS]
    best = name == "leaderboard, best"
    return float(np.mean([own.max() if best else np.median(own) for own in scores]))


def task_figures(models: Models, leaderboard: Leaderboard, task: str) -> dict[str, float]:
    """The figures of one task, by :data:`COLUMNS`."""
    baseline, individual = (of_kind(models, kind, task) for kind in (BASELINE, INDIVIDUAL))
    published = np.array(leaderboard.of_task(task))

    def rank(score: float) -> float:
        return 1 + int((published > score).sum())

    by_atlas = [
        float(np.nanmedian(of_kind(models, kind, task, (atlas,))))
        for kind in (INDIVIDUAL, GROUP)
        for atlas in ATLASES
    ]
    gains = matched_gains(models, INDIVIDUAL, task)
    values = (
        float(np.nanmedian(baseline)),
        float(np.nanmin(baseline)),
        float(np.nanmax(baseline)),
        *by_atlas,
        float(np.nanmax(individual)),
        float(np.median(published)),
        float(published.max()),
        rank(float(np.nanmedian(baseline))),
        rank(float(np.nanmedian(individual))),
        len(published),
        float(gains.mean()),
        wilcoxon_p(gains),
    )
    return dict(zip(COLUMNS, values, strict=True))


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the signed-rank test; missing values are left out."""
    return _signed_rank_p(tuple(differences[np.isfinite(differences)].tolist()))


@cache  # exact tests of tied differences take a second
def _signed_rank_p(differences: tuple[float, ...]) -> float:
    from training.statistics import compare_runs

    column = np.array(differences)[:, None]
    # The interval is not used: few resamples.
    return float(compare_runs(column, np.zeros_like(column), n_resamples=400).p[0])
