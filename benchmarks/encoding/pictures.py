"""Plots of the experiments, drawn from their JSON documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.figures import new_figure, png_of

GREY, BLUE, ORANGE = "0.6", "#3b6fb6", "#d9822b"


def draw_natsound165(document: Mapping[str, Any]) -> bytes:
    """Squared correlation of every model: a bar for the estimate, a dot for each split."""
    scores = document["details"]["scores"]
    rows = document["rows"]
    figure = new_figure(8.5, 0.34 * len(rows) + 1.1)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        colour = ORANGE if row["model"].startswith("fine-tuned") else BLUE
        colour = GREY if row["model"].startswith("ridge") else colour
        of_splits = np.mean(scores[f"{row['model']} {row['stage']}"]["r2_of_correlation"], axis=1)
        axes.barh(place, row["r²"], color=colour, alpha=0.6)
        axes.plot(of_splits, np.full(len(of_splits), place), "k.", markersize=3)
    axes.set_yticks(range(len(rows)), [f"{row['model']}, {row['stage']}" for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("squared test correlation, mean over components\n(dots: splits)")
    return png_of(figure)


def draw_alice(document: Mapping[str, Any]) -> bytes:
    """Each listener's mean correlation, and the mean over listeners with shifted predictions."""
    details = document["details"]
    rows = document["rows"]
    figure = new_figure(8.5, 0.36 * len(rows) + 1.1)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        numbers = details[f"{row['BOLD']}: {row['model']}"]
        listeners = np.mean(numbers["r"], axis=1)
        low, high = np.quantile(numbers["null"], [0.025, 0.975])
        axes.fill_betweenx([place - 0.4, place + 0.4], low, high, color="0.85", linewidth=0)
        axes.plot(listeners, np.full(len(listeners), place), ".", color=BLUE, markersize=4)
        axes.plot([row["r"]] * 2, [place - 0.4, place + 0.4], color=ORANGE, linewidth=2.5)
    names = [f"{row['model']}, {row['stage']}".removesuffix(", -") for row in rows]
    axes.set_yticks(
        range(len(rows)),
        [f"{name}\n({row['BOLD']})" for name, row in zip(names, rows, strict=True)],
        fontsize=8,
    )
    axes.axvline(0, color="k", linewidth=0.6)
    axes.invert_yaxis()
    axes.set_xlabel(
        "Pearson's r, mean over regions\n(dots: listeners; line: their mean; grey: 95 % of shifts)"
    )
    return png_of(figure)


NATSOUND165 = ("Squared test correlation of every model", draw_natsound165)
ALICE = ("Correlation with 27 listeners, and of shifted predictions", draw_alice)
PICTURES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], bytes]]] = {
    "natsound165": NATSOUND165,
    "natsound165-pretrained": NATSOUND165,
    "alice": ALICE,
    "alice-natural-sounds": ALICE,
}
