"""Models against subjects, and scores by first trained stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.evaluation.target_scores import ALL
from training.fitting.recipe import TRAIN_FROM
from training.report import elements
from training.report.elements import number
from training.report.estimates import Estimate, estimate
from training.report.evaluated import Evaluation, is_control
from training.report.pictures import ACCENT, COLOURS, GREY, drawing, plain
from training.report.results import Results
from training.statistics import ScoreName

RANDOM = "random"  # a recipe's `start` for random weights
MOST_NUMBERS = 10  # columns of the matrix with space for numbers


def mean_scores(targets: Any, score: ScoreName = "r") -> Any:
    """Mean score over targets of each model on each subject, a pandas table models x subjects.

    Both in the order of the table of an evaluation's targets; NaN if a model was not scored.
    """
    table = targets[targets["subject"] != ALL]
    means = table.pivot_table(index="model", columns="subject", values=score, aggfunc="mean")
    return means.reindex(index=table["model"].unique(), columns=table["subject"].unique())


def matrix(results: Results) -> str:
    """Scores of models across subjects, if there are several of both."""
    parts = []
    for evaluation in results.evaluations:
        scores = mean_scores(evaluation.targets, evaluation.info.score)
        if min(scores.shape) > 1:
            parts += [results.heading(evaluation), _matrix(evaluation, scores)]
    return elements.section("Models by subjects", "matrix", parts)


def _matrix(evaluation: Evaluation, scores: Any) -> str:
    own = {model.name: model.subjects for model in evaluation.info.models}
    values = scores.to_numpy(dtype=float)
    largest = float(np.nanmax(np.abs(values))) or 1.0
    width = min(7.2, 2.4 + 0.66 * len(scores.columns))
    with drawing(1.0 + 0.32 * len(scores), width=max(width, 3.6)) as picture:
        axes = picture.figure.subplots()
        mesh = axes.pcolormesh(
            values, cmap="RdBu_r", vmin=-largest, vmax=largest, edgecolors="white", linewidth=1.5
        )
        for row, model in enumerate(scores.index):
            for column, subject in enumerate(scores.columns):
                value = values[row, column]
                if len(scores.columns) <= MOST_NUMBERS:
                    ink = "white" if abs(value) > 0.65 * largest else "#1d2733"
                    text = number(value)
                    if subject in own[model]:
                        text = f"[{text}]"
                    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center",
                              color=ink, fontsize=8)  # fmt: skip
        axes.set_xticks(
            np.arange(len(scores.columns)) + 0.5, [plain(s, 12) for s in scores.columns]
        )
        axes.set_yticks(np.arange(len(scores)) + 0.5, [plain(m) for m in scores.index])
        axes.tick_params(length=0)
        if len(scores.columns) > MOST_NUMBERS:
            axes.tick_params(axis="x", rotation=90)
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        bar = picture.figure.colorbar(mesh, ax=axes, label=evaluation.score_name, shrink=0.9)
        bar.outline.set_visible(False)
    caption = (
        f"Mean {evaluation.score_name} over targets: models in rows, the brains that they predict "
        "in columns. Brackets: the model was fitted to that subject, with other runs."
    )
    cells = [
        [model, *(number(float(value)) for value in row)]
        for model, row in zip(scores.index, values, strict=True)
    ]
    head = ["model", *(f"#{subject}" for subject in scores.columns)]
    drawn = elements.figure(picture.svg, "Heat map of mean scores, models by subjects", caption)
    return drawn + elements.folded("The same as a table", elements.table(head, cells))


def profile(results: Results) -> str:
    """Score by the first trained stage, for models that differ in nothing else."""
    parts = []
    for evaluation in results.evaluations:
        curves = _by_stage(evaluation)
        if any(len(stages) > 1 for stages in curves.values()):
            parts += [results.heading(evaluation), _profile(evaluation, curves)]
    return elements.section("Which stages were trained", "profile", parts)


def _by_stage(evaluation: Evaluation) -> dict[str, dict[str, list[ModelInfo]]]:
    """Curves by name: models that differ only in the first trained stage, by that stage.

    These are models fitted to the same subjects, from the same weights, with the same read-out
    stage. Controls are excluded.
    """
    shown = [
        model
        for model in evaluation.info.models
        if not is_control(model) and evaluation.shown_subject(model)
    ]
    keys = {model.name: _alike(model) for model in shown}
    differs = [len({key[part] for key in keys.values()}) > 1 for part in range(3)]
    curves: dict[str, dict[str, list[ModelInfo]]] = {}
    for model in shown:
        fitted, start, stage = keys[model.name]
        words = [fitted]
        words += [f"from {start}"] if differs[1] else []
        words += [f"read at {stage}"] if differs[2] else []
        curves.setdefault(", ".join(words), {}).setdefault(model.train_from, []).append(model)
    return curves


def _alike(model: ModelInfo) -> tuple[str, str, str]:
    """Subjects, initial weights, and read-out stage of a model."""
    fitted = model.subjects[0] if len(model.subjects) == 1 else model.kind.replace("_", " ")
    is_random = model.recipe.get("start") == RANDOM  # its hash depends on the seed
    return fitted, RANDOM if is_random else model.start, model.stage


def _profile(evaluation: Evaluation, curves: dict[str, dict[str, list[ModelInfo]]]) -> str:
    # From the smallest trained part of the network to the largest: none, conv7, ..., conv1.
    order = ["none", *reversed(TRAIN_FROM[1:])]
    with drawing(3.0, width=5.6) as picture:
        axes = picture.figure.subplots()
        for i, (name, stages) in enumerate(curves.items()):
            colour = ACCENT if len(curves) == 1 else COLOURS[i % len(COLOURS)]
            points: list[tuple[int, Estimate]] = [
                (order.index(stage), estimate(evaluation, model))
                for stage in order
                for model in stages.get(stage, [])
            ]
            shift = (i - (len(curves) - 1) / 2) * 0.12
            places = [place + shift for place, _ in points]
            means = [each.mean for _, each in points]
            axes.vlines(places, [each.low for _, each in points], [each.high for _, each in points],
                        color=colour, alpha=0.5, linewidth=1.6)  # fmt: skip
            axes.plot(places, means, "o-", color=colour, linewidth=1, markersize=5,
                      label=plain(name, 40))  # fmt: skip
            if len(curves) == 1 and order.index("none") in dict(points):
                axes.axhline(dict(points)[0].mean, color=GREY, linewidth=1, linestyle=(0, (4, 2)))
        axes.set_xticks(range(len(order)), ["frozen", *order[1:]])
        axes.set_xlabel("trained from this stage on")
        axes.set_ylabel(f"mean {evaluation.score_name}")
        if len(curves) > 1:
            picture.figure.legend(loc="outside lower center", ncols=2)
    caption = (
        f"Mean {evaluation.score_name} over targets with 95 % intervals over runs, from the frozen "
        "network to one that was trained throughout. Models of one line started from the same "
        "weights; controls are left out. Intervals of one model say how runs differ; "
        "whether two models differ is for a paired comparison to say."
    )
    return elements.figure(picture.svg, "Mean score by the first trained stage", caption)
