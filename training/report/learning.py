"""Learning curves of each model."""

from __future__ import annotations

from typing import Any

from training.report import elements
from training.report.evaluated import Evaluation
from training.report.pictures import drawing, model_colours, plain
from training.report.results import Results

MOST_CURVES = 10


def learning(results: Results) -> str:
    """Losses and validation scores over epochs, per evaluation."""
    parts = []
    for evaluation in results.evaluations:
        curves = {
            model.name: table
            for model in evaluation.info.models
            if (table := evaluation.curves(model)) is not None
        }
        if curves:
            parts += [results.heading(evaluation), _evaluation(evaluation, curves)]
    return elements.section("Learning curves", "learning", parts)


def _evaluation(evaluation: Evaluation, curves: dict[str, Any]) -> str:
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
