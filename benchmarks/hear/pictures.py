"""Pictures of HEAR results, drawn from their documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.figures import colour_of, draw_bars, new_figure, png_of


def draw_scores(document: Mapping[str, Any]) -> bytes:
    """Bars with intervals for each task and model."""
    series = {
        name: {task: (each["mean"], each["low"], each["high"]) for task, each in scores.items()}
        for name, scores in document["details"]["models"].items()
    }
    return draw_bars(document["details"]["tasks"], series, "score, 95 % interval")


def draw_rank_changes(document: Mapping[str, Any]) -> bytes:
    """Ranks gained over the baseline, a cell for each task and model; white if not measured."""
    changes = document["details"]["rank_changes"]
    cells = [[np.nan if cell is None else cell for cell in row] for row in changes["places"]]
    tasks, models = changes["tasks"], changes["models"]
    places = np.array(cells, dtype=np.float64).reshape(len(tasks), len(models))
    largest = max(1.0, float(np.nanmax(np.abs(places)))) if np.isfinite(places).any() else 1.0
    figure = new_figure(3.2 + max(1.6, 0.36 * len(models)), 2.2 + 0.24 * len(tasks))
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
    return png_of(figure)


def draw_sizes(document: Mapping[str, Any]) -> bytes:
    """Scores, and gains over the baseline, against seconds of training audio."""
    points = document["details"]["points"]
    figure = new_figure(9, 3.4)
    panels = figure.subplots(1, 2)
    for axes, measure in zip(panels, ("score", "gain"), strict=True):
        for number, name in enumerate(document["details"]["models"]):
            own = [p for p in points if p["model"] == name and p.get(measure) is not None]
            if own:
                seconds, values = [p["training s"] for p in own], [p[measure] for p in own]
                colour = colour_of(number)
                label = name if measure == "score" else None
                axes.semilogx(seconds, values, "o", color=colour, label=label, markersize=5)
        axes.set_xlabel("seconds of training audio")
        axes.set_ylabel(measure)
    panels[1].axhline(0, color="0.6", linewidth=0.8)
    figure.legend(loc="outside upper center", fontsize=8, frameon=False)
    return png_of(figure)


def draw_few_shot(document: Mapping[str, Any]) -> bytes:
    """Accuracy by number of examples, a panel for each task; the band is one standard deviation.

    ``document["details"]`` has the content of each model's ``few-shot.json``, by name.
    """
    models = document["details"]
    names = sorted({task["task"] for each in models.values() for task in each["tasks"]})
    n_columns = min(3, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = new_figure(3.4 * n_columns, 0.8 + 2.8 * n_rows)
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        for number, (model, own) in enumerate(models.items()):
            for task in (task for task in own["tasks"] if task["task"] == name):
                examples = task["examples"]
                values = np.array([task["accuracy"][str(n)] for n in examples])
                mean, spread = values.mean(axis=1), values.std(axis=1)
                colour = colour_of(number)
                axes.plot(examples, mean, ".-", color=colour, label=model)
                axes.fill_between(examples, mean - spread, mean + spread, color=colour, alpha=0.2)
                axes.axhline(1 / task["n_classes"], color="0.6", linewidth=0.8, linestyle=":")
                axes.set_xscale("log")
                axes.set_xticks(examples, [str(n) for n in examples])
                axes.minorticks_off()
        axes.set_title(name, fontsize=9)
    for axes in grid.flat[len(names) :]:
        axes.axis("off")
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    shown = [model for model in models if model in lines]
    figure.legend([lines[model] for model in shown], shown, loc="outside upper center", fontsize=8)
    figure.supxlabel("examples of each class (dotted: chance; band: ± SD of draws)", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    return png_of(figure)
