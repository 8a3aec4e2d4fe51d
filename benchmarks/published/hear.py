"""HEAR scores of Freteault et al. 2025 (Imaging Neuroscience 3, imag_a_00525), computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hear.leaderboard import Leaderboard, read_leaderboard
from benchmarks.hear.official_tasks import OFFICIAL_TASKS
from benchmarks.published.encoding_figures import CITATION
from benchmarks.published.hear_analysis import (
    ALPHA,
    ATLAS_BY_ATLAS,
    ATLASES,
    GROUP,
    INDIVIDUAL,
    SUBJECTS,
    TASKS,
    Models,
    authors_figures,
    matched_gains,
    means_over_tasks,
    rank_gains,
    read_models,
    task_figures,
    tests_against_the_median,
    wilcoxon_p,
)

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


def run_hear(data: Path) -> dict[str, Any]:
    """The document of :mod:`benchmarks.results`.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    """
    folder = data / "hear_results"
    models, leaderboard = read_models(folder), read_leaderboard(folder / "leaderboard.csv")
    gains, alone = (rank_gains(models, leaderboard, together) for together in (True, False))
    figures = compared_figures(models, leaderboard)
    return {
        "title": "HEAR: brain-aligned against not",
        "command": "python -m benchmarks published hear --data DATA",
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
