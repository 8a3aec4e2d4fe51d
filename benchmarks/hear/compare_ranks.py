"""Ranks among published models, gains over a baseline, and effect of training-set size.

Missing scores stay missing. Mean ranks are over the tasks common to all compared models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.hear.compare import MISSING, all_tasks, pair_statistics
from benchmarks.hear.leaderboard import Leaderboard, rank_among, rank_gain
from benchmarks.hear.model_scores import MeasuredModel
from benchmarks.hear.official_tasks import OFFICIAL_TASKS


def ranks_document(
    models: Sequence[MeasuredModel], leaderboard: Leaderboard, baseline: MeasuredModel
) -> dict[str, Any]:
    """Rank of each model among the published ones, and places gained over the baseline."""
    tasks = [task for task in all_tasks(models) if leaderboard.of_task(task)]
    others = [model for model in models if model is not baseline]
    rows, means, gain_rows = [], [], []
    for task in tasks:
        published = leaderboard.of_task(task)
        row: dict[str, Any] = {"task": task, "published": len(published)}
        for model in models:
            score = model.scores.get(task)
            row[model.name] = f"{rank_among(score.mean, published):g}" if score else MISSING
        rows.append(row)
    shared = [task for task in tasks if all(task in model.scores for model in models)]
    for model in models:
        ranks = [rank_among(model.scores[t].mean, leaderboard.of_task(t)) for t in shared]
        means.append({"model": model.name, "mean rank": float(np.mean(ranks))} if shared else {})
    gains = {
        together: _gains(others, baseline, leaderboard, tasks, together)
        for together in (False, True)
    }
    for number, model in enumerate(others):
        alone = gains[False][:, number]
        known = np.isfinite(alone)
        row = {"model": model.name, "tasks": int(known.sum())}
        if known.sum() >= 2:
            row |= pair_statistics(alone[known], np.zeros(known.sum()), "places gained")
        if known.any():
            row["ranked together"] = float(np.nanmean(gains[True][:, number]))
        gain_rows.append(row)
    return {
        "title": "Ranks among published models",
        "rows": rows,
        "tables": [
            *(
                [{"title": f"Mean over the {len(shared)} shared tasks", "rows": means}]
                * bool(shared)
            ),
            {"title": f"Places gained over {baseline.name}", "rows": gain_rows},
        ],
        "notes": [
            f"Among {len(leaderboard.models)} published models, of which a task's column "
            '"published" have a score there. 1 is the best; a model stands among the published '
            "ones alone, equal scores share their mean place.",
            "Places gained: mean over tasks, interval and Wilcoxon's p as in the table of scores. "
            "Ranked together, as Freteault et al. 2025 do: to pass the baseline is one place by "
            "itself.",
            *_absent(models),
        ],
        "details": {
            "rank_changes": {
                "tasks": tasks,
                "models": [model.name for model in others],
                "places": gains[False].tolist(),
            }
        },
    }


def sizes_document(
    models: Sequence[MeasuredModel], leaderboard: Leaderboard, baseline: MeasuredModel
) -> dict[str, Any]:
    """Scores and gains against the size of the probe's training set."""
    from scipy.stats import spearmanr

    points = []
    for task in all_tasks(models):
        seconds = next(m.scores[task].train_seconds for m in models if task in m.scores)
        if seconds is None:
            continue
        for model in models:
            if task not in model.scores:
                continue
            point: dict[str, Any] = {"task": task, "training s": float(seconds)}
            point |= {"model": model.name, "score": model.scores[task].mean}
            if model is not baseline and task in baseline.scores:
                point["gain"] = model.scores[task].mean - baseline.scores[task].mean
                if published := leaderboard.of_task(task):
                    scores = model.scores[task].mean, baseline.scores[task].mean
                    point["places gained"] = rank_gain(*scores, published)
            points.append(point)
    rows = []
    for model in models:
        for measure in ("gain", "places gained"):
            own = [p for p in points if p["model"] == model.name and measure in p]
            row: dict[str, Any] = {"model": model.name, "measure": measure, "tasks": len(own)}
            if len({p["training s"] for p in own}) >= 3 and len({p[measure] for p in own}) > 1:
                result = spearmanr([p["training s"] for p in own], [p[measure] for p in own])
                row |= {"Spearman": float(result.statistic), "p": float(result.pvalue)}
            if own:
                rows.append(row)
    return {
        "title": "Few data, many data",
        "rows": rows,
        "tables": [{"title": "Tasks by seconds of training audio", "rows": points}],
        "notes": [
            f"Gain and places over {baseline.name}. Spearman's correlation with seconds of "
            "training audio over tasks, where there are three or more: below 0 means that the "
            "gain is larger where there is little to learn from. Tasks also differ in much else."
        ],
        "details": {"points": points, "models": [model.name for model in models]},
    }


def _gains(
    others: Sequence[MeasuredModel],
    baseline: MeasuredModel,
    leaderboard: Leaderboard,
    tasks: Sequence[str],
    together: bool,
) -> np.ndarray:
    """Ranks gained, ``(n_tasks, n_models)``; NaN if one of the two was not measured."""
    return np.array(
        [
            [
                rank_gain(
                    model.scores[task].mean,
                    baseline.scores[task].mean,
                    leaderboard.of_task(task),
                    together=together,
                )
                if task in model.scores and task in baseline.scores
                else np.nan
                for model in others
            ]
            for task in tasks
        ]
    ).reshape(len(tasks), len(others))


def _absent(models: Sequence[MeasuredModel]) -> list[str]:
    absent = [t.name for t in OFFICIAL_TASKS if not any(t.name in m.scores for m in models)]
    return [f"Not measured on: {', '.join(absent)}."] if absent else []
