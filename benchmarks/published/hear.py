"""HEAR scores of Freteault et al. 2025: listed figures, and recomputed ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.leaderboard import Leaderboard, read_leaderboard
from benchmarks.hear.official_tasks import OFFICIAL_TASKS
from benchmarks.published.hear_analysis import (
    ALPHA,
    TASKS,
    Models,
    authors_figures,
    matched_gains,
    mean_over_tasks,
    rank_gains,
    task_figures,
    tests_against_the_median,
    wilcoxon_p,
)
from benchmarks.published.hear_figures import (
    ATLAS_BY_ATLAS,
    AUTHORS,
    BETTER,
    CITATION,
    MATCHED_COUNTS,
    MATCHED_MEANS,
    WORSE,
    Listed,
    listed_best_models,
    listed_by_task,
)
from benchmarks.published.hear_tables import (
    ATLASES,
    GROUP,
    INDIVIDUAL,
    LEADERBOARD,
    SUBJECTS,
    read_models,
)

TABLE_DIGITS = 4  # rounding of the listed table of tasks


def run_hear(data: Path) -> dict[str, Any]:
    """The document of :mod:`benchmarks.results`.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    """
    folder = data / "hear_results"
    models, leaderboard = read_models(folder), read_leaderboard(folder / LEADERBOARD)
    listed = list(figures(models, leaderboard))
    gains = rank_gains(models, leaderboard)
    return {
        "title": "HEAR: brain-aligned against not",
        "command": "python -m benchmarks published hear --data DATA",
        "rows": [row for row in listed if row["figure"] in AUTHORS],
        "tables": [
            {"title": "Task by task", "rows": task_rows(models, leaderboard)},
            {
                "title": "Mean over the nineteen tasks, medians over models",
                "rows": [row for row in listed if row["figure"] in MATCHED_MEANS],
            },
            {
                "title": "The same places, each model ranked without the baseline",
                "rows": [
                    {"models": name, "ranked with the baseline": both, "without it": alone}
                    for name, both, alone in _places(gains, rank_gains(models, leaderboard, False))
                ],
            },
        ],
        "notes": notes(models, leaderboard, listed),
        "details": {
            "figures": listed,
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


def figures(models: Models, leaderboard: Leaderboard) -> Iterator[dict[str, Any]]:
    """Every listed figure except those of :func:`task_rows`: listed, recomputed, whether they
    agree."""
    redone = authors_figures(models, leaderboard)
    for name, figure in AUTHORS.items():
        yield _compared(name, figure, redone[name])
    for name, figure in MATCHED_MEANS.items():
        yield _compared(name, figure, mean_over_tasks(models, leaderboard, name))
    p = {task: wilcoxon_p(matched_gains(models, INDIVIDUAL, task)) for task in TASKS}
    gain = {task: float(np.mean(matched_gains(models, INDIVIDUAL, task))) for task in TASKS}
    for name, sign in (("tasks better", 1), ("tasks worse", -1)):
        count = sum(p[task] < ALPHA and sign * gain[task] > 0 for task in TASKS)
        yield _compared(f"matched pairs, {name}", MATCHED_COUNTS[name], count)
    for task, columns in listed_by_task().items():
        own = task_figures(models, leaderboard, task)
        for column, figure in columns.items():
            yield _compared(f"{task}, {column}", figure, own[column], TABLE_DIGITS)


def task_rows(models: Models, leaderboard: Leaderboard) -> list[dict[str, Any]]:
    """A row for each task, with as many decimals as listed."""
    tests = tests_against_the_median(models)
    rows = []
    for task, columns in listed_by_task().items():
        own = task_figures(models, leaderboard, task)
        row: dict[str, Any] = {"task": task}
        row |= {name: f"{own[name]:.{figure.digits}f}" for name, figure in columns.items()}
        difference, p = tests[task]
        verdict = "better" if difference > 0 else "worse"
        row["p of 24 against the median"] = "one is missing" if np.isnan(p) else f"{p:.2g}"
        row["authors' verdict"] = verdict if p < ALPHA and difference else "neither"
        rows.append(row)
    return rows


def notes(models: Models, leaderboard: Leaderboard, listed: list[dict[str, Any]]) -> list[str]:
    """Notes for the reader of the tables."""
    from scipy.stats import spearmanr

    missed = [row["figure"] for row in listed if row["agrees"] == "no"]
    tests = tests_against_the_median(models)
    same = all(
        {task for task, (d, p) in tests.items() if p < ALPHA and sign * d > 0} == expected
        for sign, expected in ((1, BETTER), (-1, WORSE))
    )
    best = listed_best_models()
    best_agree = all(
        scores[best[task]] == max(scores.values()) for task, scores in leaderboard.scores.items()
    )
    missing = [task for task, (_, p) in tests.items() if np.isnan(p)]
    gains = rank_gains(models, leaderboard)
    by_task = np.nanmean(np.vstack([gains[INDIVIDUAL], gains[GROUP]]), axis=0)
    sizes = spearmanr([task.train_seconds for task in OFFICIAL_TASKS], by_task)
    return [
        f"Scores of {CITATION}. {len(listed) - len(missed)} of {len(listed)} listed figures are "
        "reproduced: both are roundings of one number."
        + (f" Not reproduced: {', '.join(missed)}." if missed else "")
        + (" Better and worse are the tasks that are listed so." if same else "")
        + (" The best published models, too." if best_agree else ""),
        "Authors' analysis: 24 models (12 individual, 12 group) against the median of 12 "
        f"baselines, Wilcoxon over models. {' and '.join(missing)} count as neither because some "
        "individual models were not measured on them; a median difference of 0 (Maestro 5h) "
        "counts as neither, too.",
        "Places: model and baseline are ranked together among the published models, so that to "
        "pass the baseline is one place by itself. The last table has both ranked alone.",
        f"{ATLAS_BY_ATLAS}: the mean of the medians over six models of whole brain and of STG; "
        "the row above it is the median over all twelve.",
        "Matched gain: individual models from conv4 less the baseline of the same subject and "
        "atlas; Wilcoxon signed-rank test over pairs, uncorrected. Ranks of medians, among the "
        "published models only.",
        f"Training-set size: Spearman's correlation over tasks of places gained with seconds of "
        f"training audio is {sizes.statistic:.2f} (p = {sizes.pvalue:.2g}).",
    ]


def _places(
    together: dict[str, NDArray[np.float64]], alone: dict[str, NDArray[np.float64]]
) -> list[tuple[str, float, float]]:
    return [
        (kind, float(np.nanmean(together[kind])), float(np.nanmean(alone[kind])))
        for kind in (INDIVIDUAL, GROUP)
    ]


def _compared(
    name: str, figure: Listed, redone: float, digits_before: int | None = None
) -> dict[str, Any]:
    """Whether both can be one number, rounded to `digits_before` before listing."""
    tolerance = 0.5 * 10.0**-figure.digits
    if digits_before is not None and digits_before > figure.digits:
        tolerance += 0.5 * 10.0**-digits_before
    agrees = abs(float(redone) - figure.value) <= tolerance + 1e-9
    return {
        "figure": name,
        "listed": f"{figure.value:.{figure.digits}f}",
        "redone": f"{redone:.{figure.digits + 1}f}" if figure.digits else str(int(redone)),
        "agrees": "yes" if agrees else "no",
    }
