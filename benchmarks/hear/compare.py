"""Comparison of models: scores, and paired tests.

Missing scores stay missing: a pair is tested on the common tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.hear.model_scores import MeasuredModel
from benchmarks.hear.official_tasks import OFFICIAL_TASKS

MISSING = "missing"


def choose_baseline(models: Sequence[MeasuredModel], baseline: str) -> MeasuredModel:
    """The baseline: by its name or the start of its hash; "" for the first.

    Raises
    ------
    ValueError
        If no model or more than one matches.
    """
    if not baseline:
        return models[0]
    chosen = [
        model
        for model in models
        if model.name == baseline or model.checkpoint_hash.startswith(baseline)
    ]
    if len(chosen) != 1:
        raise ValueError(
            f"{baseline!r} means {len(chosen)} models, expected 1; there are: "
            + "; ".join(f"{model.name} ({model.checkpoint_hash[:12]})" for model in models)
        )
    return chosen[0]


def scores_document(models: Sequence[MeasuredModel]) -> dict[str, Any]:
    """Tasks by models, and each pair of models tested over tasks."""
    tasks = all_tasks(models)
    rows = []
    for task in tasks:
        row: dict[str, Any] = {"task": task}
        row["score"] = next(m.scores[task].score for m in models if task in m.scores)
        for model in models:
            row[model.name] = model.scores[task].text if task in model.scores else MISSING
        rows.append(row)
    return {
        "title": "Scores",
        "rows": rows,
        "tables": [
            {"title": "Pairs of models over tasks", "rows": paired_rows(models, tasks)},
            {"title": "Pairs of models over the folds of a task", "rows": fold_rows(models, tasks)},
        ],
        "notes": [
            "Mean and 95 % interval: over folds, each the mean over seeds, where a task has folds; "
            "else over seeds, which say nothing of other sounds. Seeds: "
            + "; ".join(f"{model.name} {_seeds(model)}" for model in models)
            + ".",
            "Pairs over tasks: mean difference on the tasks that both have, two-sided Wilcoxon "
            "signed-rank test and matched-pairs rank-biserial correlation; over folds: the same on "
            "one task, where p cannot be below 2 / 2^n with n folds. q: Benjamini-Hochberg over "
            "the rows of the table. Folds share training sounds: read q with care.",
        ],
        "details": scores_details(models),
    }


def scores_details(models: Sequence[MeasuredModel]) -> dict[str, Any]:
    """All values of all models, for the picture and for other analyses."""
    return {
        "tasks": all_tasks(models),
        "models": {
            model.name: {
                task: {
                    "mean": score.mean,
                    "low": score.low,
                    "high": score.high,
                    "values": score.values.tolist(),
                    "folds": list(score.folds),
                    "n_seeds": score.n_seeds,
                }
                for task, score in model.scores.items()
            }
            for model in models
        },
    }


def paired_rows(models: Sequence[MeasuredModel], tasks: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each pair of models with at least two common tasks."""
    rows = []
    for a, b in combinations(models, 2):
        shared = [task for task in tasks if task in a.scores and task in b.scores]
        if len(shared) >= 2:
            first, second = ([m.scores[task].mean for task in shared] for m in (a, b))
            row = {"model": a.name, "against": b.name, "tasks": len(shared)}
            rows.append({**row, **pair_statistics(first, second)})
    return _corrected(rows)


def fold_rows(models: Sequence[MeasuredModel], tasks: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each task with folds and each pair of models that have it."""
    rows = []
    for task in tasks:
        for a, b in combinations([model for model in models if task in model.scores], 2):
            first, second = a.scores[task], b.scores[task]
            if first.folds and len(first.values) == len(second.values) == len(first.folds):
                row = {"task": task, "model": a.name, "against": b.name, "folds": len(first.folds)}
                rows.append({**row, **pair_statistics(first.values, second.values)})
    return _corrected(rows)


def all_tasks(models: Sequence[MeasuredModel]) -> list[str]:
    """HEAR's tasks by size, then others by name; those of any model."""
    measured = {task for model in models for task in model.scores}
    official = [task.name for task in OFFICIAL_TASKS if task.name in measured]
    return [*official, *sorted(measured - set(official))]


def pair_statistics(a: Any, b: Any, name: str = "mean difference") -> dict[str, Any]:
    """Mean of ``a - b``, ``(n_values,)`` each, its interval, Wilcoxon's p and effect size."""
    from training.statistics import compare_runs

    result = compare_runs(np.array(a)[:, None], np.array(b)[:, None])
    return {
        name: float(result.difference[0]),
        "95 % from": float(result.low[0]),
        "to": float(result.high[0]),
        "p": float(result.p[0]),
        "effect size": float(result.effect_size[0]),
    }


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from training.statistics import benjamini_hochberg

    if not rows:
        return rows
    adjusted = benjamini_hochberg(np.array([row["p"] for row in rows]))
    return [{**row, "q": float(q)} for row, q in zip(rows, adjusted, strict=True)]


def _seeds(model: MeasuredModel) -> str:
    numbers = sorted({score.n_seeds for score in model.scores.values()})
    return " or ".join(map(str, numbers)) or "none"
