"""One dot per run and model, to show whether a mean holds in all runs or comes from a few."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.report import elements
from training.report.evaluated import Evaluation
from training.report.pictures import GREY, drawing, model_colours, plain
from training.report.results import Results

N_BEST = 10
MOST_MODELS = 12


def strips(results: Results) -> str:
    """Scores of single runs, per evaluation."""
    parts = []
    for evaluation in results.evaluations:
        models = [m for m in evaluation.info.models if evaluation.shown_subject(m)][:MOST_MODELS]
        if not models:
            continue
        best = _best_targets(evaluation, models)
        everywhere = {model.name: evaluation.unit_scores(model) for model in models}
        there = {model.name: evaluation.unit_scores(model, best) for model in models}
        if max(map(len, everywhere.values())) < 2:
            continue
        pictures = [_strip(evaluation, everywhere, "Mean over all targets")]
        if len(best) < len(evaluation.info.target_ids):
            title = f"Mean over the {len(best)} best targets"
            pictures.append(_strip(evaluation, there, title))
        note = (
            "One dot per run (per subject, for models that are shown for all subjects together); "
            "bars are means. Grey lines join the same run where there are two or three models. The "
            f"{len(best)} best targets are those with the highest mean over these models."
        )
        parts += [
            results.heading(evaluation),
            elements.side_by_side(*pictures),
            elements.paragraph(note, "note"),
        ]
    return elements.section("Run by run", "runs", parts)


def _best_targets(evaluation: Evaluation, models: list[ModelInfo]) -> list[int]:
    """Ids with the highest means over models, which favours none of them."""
    import pandas

    scores = pandas.concat([evaluation.rows(m)[evaluation.info.score] for m in models], axis=1)
    means = scores.astype(float).mean(axis=1).dropna()
    return [int(i) for i in means.sort_values(ascending=False, kind="stable").index[:N_BEST]]


def _strip(evaluation: Evaluation, scores: dict[str, Any], title: str) -> str:
    colours = model_colours([model.name for model in evaluation.info.models])
    with drawing(1.0 + 0.3 * len(scores)) as picture:
        axes = picture.figure.subplots()
        names = list(scores)
        if 2 <= len(names) <= 3:
            for row, (upper, lower) in enumerate(pairwise(names)):
                for run in scores[upper].index.intersection(scores[lower].index):
                    axes.plot([scores[upper][run], scores[lower][run]], [row, row + 1],
                              color=GREY, linewidth=0.6, alpha=0.6)  # fmt: skip
        for row, name in enumerate(names):
            values = scores[name].to_numpy(dtype=float)
            axes.plot(values, np.full(len(values), row), "o", color=colours[name], markersize=4.5,
                      alpha=0.65, markeredgewidth=0)  # fmt: skip
            if len(values):
                axes.plot(values.mean(), row, "|", color=colours[name], markersize=15,
                          markeredgewidth=2.2)  # fmt: skip
        axes.set_yticks(range(len(names)), [plain(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_xlabel(evaluation.score_name)
        axes.set_title(plain(title, 60))
    return elements.figure(picture.svg, f"{title}: one dot per run and model")
