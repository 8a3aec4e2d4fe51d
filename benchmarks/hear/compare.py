"""Comparison of models: scores, paired tests, ranks among published models, and its page.

Missing scores stay missing: a pair is tested on the common tasks, and mean ranks are over the tasks
common to all compared models. The page is ``PAGE.md``, with its numbers in the folder ``PAGE``.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hear.leaderboard import (
    OFFICIAL_TASKS,
    Leaderboard,
    rank_among,
    rank_gain,
    read_leaderboard,
)
from benchmarks.hear.model_scores import MeasuredModel, read_models
from benchmarks.hear.pictures import draw_rank_changes, draw_scores, draw_sizes
from benchmarks.page import Picture, Section, page_path, write_page, written_by
from benchmarks.results import read_result, write_result

MISSING = "missing"
PICTURES: dict[str, Picture] = {
    "scores": ("Scores with their intervals", draw_scores),
    "ranks": ("Places gained on the leaderboard", draw_rank_changes),
    "sizes": ("Scores and gains by size of the training set", draw_sizes),
}


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


def write_comparison(
    results: Sequence[Path], leaderboard: Path, page: Path, baseline: str = ""
) -> Path:
    """Compare models with each other and with published ones, and write the page; returns its path.

    Parameters
    ----------
    results : sequence of Path
        Output folders of ``run``, or folders of raw scores.
    leaderboard : Path
        See :func:`benchmarks.hear.leaderboard.read_leaderboard`.
    page : Path
        For example ``comparison.md``; see :func:`~benchmarks.page.page_path`.
    baseline : str
        Name, or start of the checkpoint's hash, of the model without alignment; "" for the first.
    """
    page = page_path(page)
    published = read_leaderboard(leaderboard)
    models = read_models(results)
    chosen = choose_baseline(models, baseline)
    words = ["python", "-m", "benchmarks", "hear", "compare", *(place.name for place in results)]
    words += ["--leaderboard", leaderboard.name, "--out", page.name]
    words += ["--baseline", baseline] if baseline else []
    documents = {
        "scores": scores_document(models),
        "ranks": ranks_document(models, published, chosen),
        "sizes": sizes_document(models, published, chosen),
    }
    numbers = page.with_suffix("")
    sections = []
    for name, document in documents.items():
        (numbers / f"{name}.json").unlink(missing_ok=True)  # from an earlier comparison
        if document["rows"]:
            write_result(numbers, name, {**document, "command": shlex.join(words)})
            written = read_result(numbers, name)
            assert written is not None
            sections.append(Section(name, written, [PICTURES[name]]))
    absent = [document["title"] for document in documents.values() if not document["rows"]]
    more = ["", f"No measured task has what this needs: {', '.join(absent)}."] if absent else []
    intro = [written_by("hear compare", numbers.name)]
    return write_page(page, "Models compared on HEAR tasks", intro, sections, more)
