"""HEAR scores of Freteault et al. 2025 (Imaging Neuroscience 3, imag_a_00525), computed again."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.leaderboard import OFFICIAL_TASKS, Leaderboard, rank_gain, read_leaderboard
from benchmarks.published.encoding import CITATION, read_columns

TABLES = ("metrics.csv", "metrics_145.csv")  # subjects 2, 3, 6; subjects 1, 4, 5
GROUP_TABLE = "metrics_group.csv"
COLUMNS = ("subject", "finetune", "atlas")
ATLASES = ("wholebrain", "STG")
SUBJECTS = tuple(f"sub-{number:02}" for number in range(1, 7))
BASELINE, INDIVIDUAL, GROUP = "baseline", "conv4 individual", "conv4 group"
STAGES = ("conv7", "conv6", "conv5")  # fine-tuned from a deeper stage than conv4, individual only
ATLAS_BY_ATLAS = "conv4, group, atlas by atlas"
ALPHA = 0.05
TASKS = tuple(task.name for task in OFFICIAL_TASKS)
Models = dict[tuple[str, str, str], dict[str, float]]
# The published figures, with as many decimals as there, by the names of `authors_figures`.
PUBLISHED = {
    "tasks better": "12",
    "tasks worse": "2",
    "tasks neither": "5",
    "places gained, individual": "1.95",
    "places gained, group": "2.11",
    "places gained, whole brain": "2.01",
    "places gained, STG": "2.06",
    "places gained, STG, individual": "1.7",
    "places gained, STG, group": "2.4",
    "places gained on Gunshot, most": "18",
    "p, group against individual": "0.128",
    "subjects that gain, whole brain, individual": "6",
    "subjects that gain, STG, individual": "3",
}


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
        for _, row in read_columns(folder / name, COLUMNS).iterrows():
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


def run_hear(data: Path) -> dict[str, Any]:
    """The document of :mod:`benchmarks.results`; `data` is the folder of the real recordings."""
    folder = data / "hear_results"
    models, leaderboard = read_models(folder), read_leaderboard(folder / "leaderboard.csv")
    gains, alone = (rank_gains(models, leaderboard, together) for together in (True, False))
    figures = compared_figures(models, leaderboard)
    return {
        "title": "HEAR: brain-aligned against not",
        "rows": figures,
        "tables": [
            {"title": "Task by task", "rows": task_rows(models, leaderboard)},
            {
                "title": "Mean over the nineteen tasks, medians over models",
                "rows": [
                    {"models": name, "mean score": mean}
                    for name, mean in means_over_tasks(models, leaderboard).items()
                ],
            },
            {
                "title": "The same places, each model ranked without the baseline",
                "rows": [
                    {
                        "models": kind,
                        "ranked with the baseline": float(np.nanmean(gains[kind])),
                        "without it": float(np.nanmean(alone[kind])),
                    }
                    for kind in (INDIVIDUAL, GROUP)
                ],
            },
        ],
        "notes": notes(models, figures, np.vstack([gains[INDIVIDUAL], gains[GROUP]])),
        "details": {
            "rank_changes": {
                "tasks": list(TASKS),
                "models": [
                    f"{subject} {kind.split()[1]}, {atlas}"
                    for kind in (INDIVIDUAL, GROUP)
                    for atlas in ATLASES
                    for subject in SUBJECTS
                ],
                "places": np.vstack([gains[INDIVIDUAL], gains[GROUP]]).T.tolist(),
            },
        },
    }


def compared_figures(models: Models, leaderboard: Leaderboard) -> list[dict[str, str]]:
    """Every published figure: as published, computed again, and whether it rounds to it."""
    redone = authors_figures(models, leaderboard)
    rows = []
    for name, published in PUBLISHED.items():
        digits = len(published.partition(".")[2])
        agrees = abs(float(redone[name]) - float(published)) <= 0.5 * 10.0**-digits + 1e-9
        again = f"{redone[name]:.{digits + 1}f}" if digits else str(int(redone[name]))
        row = {"figure": name, "published": published, "redone": again}
        rows.append({**row, "agrees": "yes" if agrees else "no"})
    return rows


def task_rows(models: Models, leaderboard: Leaderboard) -> list[dict[str, Any]]:
    """A row for each task, with the authors' verdict."""
    tests = tests_against_the_median(models)
    rows = []
    for task in TASKS:
        difference, p = tests[task]
        verdict = "better" if difference > 0 else "worse"
        row: dict[str, Any] = {"task": task, **task_figures(models, leaderboard, task)}
        row["p of 24 against the median"] = None if np.isnan(p) else p
        row["authors' verdict"] = verdict if p < ALPHA and difference else "neither"
        rows.append(row)
    return rows


def notes(models: Models, figures: list[dict[str, str]], gains: Any) -> list[str]:
    """Notes for the reader of the tables."""
    from scipy.stats import spearmanr

    missed = [row["figure"] for row in figures if row["agrees"] == "no"]
    missing = [t for t, (_, p) in tests_against_the_median(models).items() if np.isnan(p)]
    pairs = [matched_gains(models, INDIVIDUAL, task) for task in TASKS]
    clear = [own.mean() > 0 for own in pairs if wilcoxon_p(own) < ALPHA]
    sizes = spearmanr([task.train_seconds for task in OFFICIAL_TASKS], np.nanmean(gains, axis=0))
    return [
        f"Scores of {CITATION}. {len(figures) - len(missed)} of {len(figures)} published figures "
        "are reproduced." + (f" Not reproduced: {', '.join(missed)}." if missed else ""),
        "Authors' analysis: 24 models (12 individual, 12 group) against the median of 12 "
        f"baselines, Wilcoxon over models. {' and '.join(missing)} count as neither because some "
        "individual models were not measured on them; a median difference of 0 (Maestro 5h) "
        "counts as neither as well.",
        "Places: model and baseline are ranked together among the published models, so that to "
        "pass the baseline is one place by itself. The last table has both ranked alone.",
        f"{ATLAS_BY_ATLAS}: the mean of the medians over six models of whole brain and of STG; "
        "the row above it is the median over all twelve.",
        "Matched gain: individual models from conv4 less the baseline of the same subject and "
        "atlas; Wilcoxon signed-rank test over pairs, uncorrected: "
        f"{sum(clear)} tasks better, {len(clear) - sum(clear)} worse. Ranks of medians, among the "
        "published models only.",
        "Training-set size: Spearman's correlation over tasks of places gained with seconds of "
        f"training audio is {sizes.statistic:.2f} (p = {sizes.pvalue:.2g}).",
    ]
