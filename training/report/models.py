"""Sections on models: by subject, by first trained stage, run by run, and over epochs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.evaluation.target_scores import ALL
from training.fitting.recipe import TRAIN_FROM
from training.report import elements
from training.report.elements import ACCENT, COLOURS, GREY, drawing, model_colours, number, plain
from training.report.headline import Estimate, estimate
from training.report.results import Evaluation, Results, is_control
from training.statistics import ScoreName

RANDOM = "random"  # a recipe's `start` for random weights
MOST_NUMBERS = 10  # columns of the matrix with space for numbers
N_BEST = 10
MOST_MODELS = 12
MOST_CURVES = 10


def mean_scores(targets: Any, score: ScoreName = "r") -> Any:
    """Mean score over targets of each model on each subject, a pandas table models x subjects.

    Both in the order of the table of an evaluation's targets; NaN if a model was not scored.
    """
    table = targets[targets["subject"] != ALL]
    means = table.pivot_table(index="model", columns="subject", values=score, aggfunc="mean")
    return means.reindex(index=table["model"].unique(), columns=table["subject"].unique())


def matrix(results: Results) -> str:
    """Scores of models across subjects, if there are several of both."""
    return results.section("Models by subjects", "matrix", _matrix)


def _matrix(evaluation: Evaluation) -> str:
    scores = mean_scores(evaluation.targets, evaluation.info.score)
    if min(scores.shape) < 2:
        return ""
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
    return results.section("Which stages were trained", "profile", _profile)


def _by_stage(evaluation: Evaluation) -> dict[str, dict[str, list[ModelInfo]]]:
    """Curves by name: models that differ only in the first trained stage, by that stage.

    These are models fitted to the same subjects, from the same weights, with the same read-out
    stage. Controls are excluded.
    """
    shown = [model for model in evaluation.scored if not is_control(model)]
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


def _profile(evaluation: Evaluation) -> str:
    curves = _by_stage(evaluation)
    if all(len(stages) < 2 for stages in curves.values()):
        return ""
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


def strips(results: Results) -> str:
    """One dot per run and model, to show whether a mean holds in all runs or comes from a few."""
    return results.section("Run by run", "runs", _strips)


def _strips(evaluation: Evaluation) -> str:
    models = evaluation.scored[:MOST_MODELS]
    everywhere = {model.name: evaluation.unit_scores(model) for model in models}
    if max(map(len, everywhere.values()), default=0) < 2:
        return ""
    best = _best_targets(evaluation, models)
    pictures = [_strip(evaluation, everywhere, "Mean over all targets")]
    if len(best) < len(evaluation.info.target_ids):
        there = {model.name: evaluation.unit_scores(model, best) for model in models}
        pictures.append(_strip(evaluation, there, f"Mean over the {len(best)} best targets"))
    note = (
        "One dot per run (per subject, for models that are shown for all subjects together); "
        "bars are means. Grey lines join the same run where there are two or three models. The "
        f"{len(best)} best targets are those with the highest mean over these models."
    )
    return elements.side_by_side(*pictures) + "\n" + elements.paragraph(note, "note")


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


def learning(results: Results) -> str:
    """Losses and validation scores over epochs, per evaluation."""
    return results.section("Learning curves", "learning", _learning)


def _learning(evaluation: Evaluation) -> str:
    curves = {
        model.name: table
        for model in evaluation.info.models
        if (table := evaluation.curves(model)) is not None
    }
    if not curves:
        return ""
    shown = dict(list(curves.items())[:MOST_CURVES])
    kept = {model.name: model.best_epoch for model in evaluation.info.models}
    colours = model_colours([model.name for model in evaluation.info.models])
    column = f"validation_{evaluation.info.score}"
    with drawing(2.9) as scores:
        axes = scores.figure.subplots()
        for name, table in shown.items():
            _curve(axes, table, column, kept[name], color=colours[name], label=plain(name))
        axes.set_title(f"Validation {evaluation.score_name}")
        _label_epochs(axes)
        if len(shown) > 1:
            axes.legend(ncols=2, fontsize=7)
    with drawing(2.9) as losses:
        axes = losses.figure.subplots()
        for name, table in shown.items():
            _curve(axes, table, "validation_loss", kept[name], color=colours[name])
            # The loss of epoch 0 is before any training, so there is no training loss.
            axes.plot(
                *(table[c][1:] for c in ("epoch", "train_loss")),
                color=colours[name], linewidth=1, linestyle=(0, (4, 2)), alpha=0.8,
            )  # fmt: skip
        axes.set_title("Loss: validation (solid) and training (dashed)")
        _label_epochs(axes)
    caption = (
        "Means over runs and targets of the validation split. Epoch 0 is before any training; the "
        "dot marks the epoch whose weights were kept."
    )
    if len(curves) > len(shown):
        caption += f" The first {len(shown)} of {len(curves)} models."
    pictures = elements.side_by_side(
        elements.figure(scores.svg, f"Validation {evaluation.score_name} over epochs, per model"),
        elements.figure(losses.svg, "Validation and training loss over epochs, per model"),
    )
    return pictures + elements.paragraph(caption, "note")


def _label_epochs(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _curve(axes: Any, table: Any, column: str, kept: int, **style: Any) -> None:
    axes.plot(table["epoch"], table[column], linewidth=1.5, **style)
    best = table[table["epoch"] == kept]
    axes.plot(best["epoch"], best[column], "o", markersize=5, color=style["color"])
