"""Plots of HEAR results, drawn from the JSON documents."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#3b6fb6", "#d9822b", "#3a9a6c", "#8a63b0", "0.45", "#b0413e")


def draw_scores(document: Mapping[str, Any]) -> bytes:
    """Bars with intervals for each task and model."""
    tasks, models = document["details"]["tasks"], document["details"]["models"]
    figure = _figure(9, 1.3 + 0.15 * len(tasks) * (len(models) + 1))
    axes = figure.subplots()
    height = 0.8 / len(models)
    for number, (name, scores) in enumerate(models.items()):
        rows = [(place, scores[task]) for place, task in enumerate(tasks) if task in scores]
        if not rows:
            continue
        places = np.array([place for place, _ in rows]) + (number + 0.5) * height - 0.4
        means = np.array([score["mean"] for _, score in rows])
        bounds = [[score["low"], score["high"]] for _, score in rows]
        ends = np.array([[np.nan if end is None else end for end in each] for each in bounds])
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(places, means, height, color=colour, label=name)
        axes.hlines(places, ends[:, 0], ends[:, 1], color="0.2", linewidth=1)
    axes.set_yticks(range(len(tasks)), tasks, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("score, 95 % interval")
    figure.legend(loc="outside upper center", fontsize=8, frameon=False)
    return _png(figure)


def draw_rank_changes(document: Mapping[str, Any]) -> bytes:
    """Ranks gained over the baseline, a cell for each task and model; white if not measured."""
    changes = document["details"]["rank_changes"]
    cells = [[np.nan if cell is None else cell for cell in row] for row in changes["places"]]
    tasks, models = changes["tasks"], changes["models"]
    places = np.array(cells, dtype=np.float64).reshape(len(tasks), len(models))
    largest = max(1.0, float(np.nanmax(np.abs(places)))) if np.isfinite(places).any() else 1.0
    figure = _figure(3.2 + max(1.6, 0.36 * len(models)), 2.2 + 0.24 * len(tasks))
    axes = figure.subplots()
    image = axes.imshow(places, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    for (row, column), value in np.ndenumerate(places):
        if np.isfinite(value):
            text = f"{value:+.3g}" if value else "0"
            shade = "w" if abs(value) > 0.6 * largest else "0.2"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=shade)
    axes.set_yticks(range(len(tasks)), tasks, fontsize=8)
    axes.set_xticks(range(len(models)), models, fontsize=7, rotation=60, ha="right")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.6, label="places gained")
    return _png(figure)


def draw_sizes(document: Mapping[str, Any]) -> bytes:
    """Scores, and gains over the baseline, against seconds of training audio."""
    points = document["details"]["points"]
    figure = _figure(9, 3.4)
    panels = figure.subplots(1, 2)
    for axes, measure in zip(panels, ("score", "gain"), strict=True):
        for number, name in enumerate(document["details"]["models"]):
            own = [p for p in points if p["model"] == name and p.get(measure) is not None]
            if own:
                seconds, values = [p["training s"] for p in own], [p[measure] for p in own]
                colour = COLOURS[number % len(COLOURS)]
                label = name if measure == "score" else None
                axes.semilogx(seconds, values, "o", color=colour, label=label, markersize=5)
        axes.set_xlabel("seconds of training audio")
        axes.set_ylabel(measure)
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].axhline(0, color="0.6", linewidth=0.8)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False)
    return _png(figure)


def draw_few_shot(document: Mapping[str, Any]) -> bytes:
    """Accuracy by number of examples, a panel for each task; the band is one standard deviation.

    Parameters
    ----------
    document : mapping
        By name of the model, the content of its ``few-shot.json``.
    """
    names = sorted({task["task"] for each in document.values() for task in each["tasks"]})
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = _figure(3.4 * n_columns, 0.8 + 2.8 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        for number, (model, own) in enumerate(document.items()):
            for task in (task for task in own["tasks"] if task["task"] == name):
                examples = task["examples"]
                values = np.array([task["accuracy"][str(n)] for n in examples])
                mean, spread = values.mean(axis=1), values.std(axis=1)
                colour = COLOURS[number % len(COLOURS)]
                axes.plot(examples, mean, ".-", color=colour, label=model)
                axes.fill_between(examples, mean - spread, mean + spread, color=colour, alpha=0.2)
                axes.axhline(1 / task["n_classes"], color="0.6", linewidth=0.8, linestyle=":")
                axes.set_xscale("log")
                axes.set_xticks(examples, [str(n) for n in examples])
                axes.minorticks_off()
        axes.set_title(name, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    shown = [model for model in document if model in lines]
    figure.legend([lines[model] for model in shown], shown, loc="outside upper center", fontsize=8)
    figure.supxlabel("examples of each class (dotted: chance; band: ± SD of draws)", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
