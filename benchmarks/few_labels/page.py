"""The page of the few-labels benchmark, and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, new_figure, png_of
from benchmarks.page import ResultsPage

SHOWN = {  # label, colour, marker
    "whole": ("whole scene embedding", GREY, "s"),
    "brain": ("six brain components", BLUE, "o"),
    "components": ("six principal components", GREEN, "^"),
    "permuted within categories": ("brain permuted within categories", PURPLE, "x"),
    "permuted": ("permuted brain", ORANGE, "x"),
}


def draw(document: Mapping[str, Any]) -> bytes:
    """Accuracy by task, a panel for each checkpoint."""
    rows = document["tables"][0]["rows"]
    checkpoints = list(dict.fromkeys(row["checkpoint"] for row in rows))
    figure = new_figure(3.4 * len(checkpoints) + 2, 4.2)
    grid = figure.subplots(1, len(checkpoints), sharex=True, sharey=True, squeeze=False)
    for axes, checkpoint in zip(grid[0], checkpoints, strict=True):
        own = [row for row in rows if row["checkpoint"] == checkpoint]
        places = np.arange(len(own))[::-1]
        for key, (label, colour, marker) in SHOWN.items():
            values = [row[key] for row in own]
            axes.plot(values, places, marker, color=colour, label=label, markersize=7)
        axes.set_yticks(places, [row["task"].partition("-")[0] for row in own])
        axes.set_title(checkpoint)
        axes.set_xlabel("accuracy")
        axes.grid(axis="y", color="0.9")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    n_columns = 1 + len(checkpoints)
    figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False)
    return png_of(figure)


PAGE = ResultsPage(
    "few-labels",
    "Six brain components where labels are few",
    "Whether a sound's predicted response in auditory cortex, six numbers, serves classification "
    "with few examples better than six numbers that owe nothing to the brain. The "
    "[design](design.md) was written before any result.\n\n"
    "Conclusion, by the design's criterion: there is no preset of brain components. With the "
    "original SoundNet they serve better than six principal components and than permuted brains, "
    "with the default and with random weights no better than principal components. They reach the "
    "whole scene embedding only in telling speech, music and other sounds apart, and there a brain "
    "permuted within categories does as well.",
    {"few-labels": [("Accuracy with few examples", draw)]},
)
