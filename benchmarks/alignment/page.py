"""The page of the alignment benchmark, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.figures import BLUE, GREY, ORANGE, new_figure, png_of
from benchmarks.page import ResultsPage

DRAWN = (  # colour, kind of brain, place
    (BLUE, "brain", 0.2),
    (ORANGE, "permuted brain", 0.0),
    (GREY, "freely permuted brain", -0.2),
)


def draw_natural_sounds(document: Mapping[str, Any]) -> bytes:
    """The brain's score among those of permuted brains, a panel for each start."""
    scores: Mapping[str, Mapping[str, Any]] = document["details"]["scores"]
    figure = new_figure(3.4 * len(scores) + 1, 3.4)
    panels = figure.subplots(1, len(scores), squeeze=False)[0]
    for axes, (name, own) in zip(panels, scores.items(), strict=True):
        axes.hist(own["permuted"], 25, color=ORANGE, alpha=0.6, label="permuted brains")
        for i, value in enumerate(own["brain"]):
            axes.axvline(value, color=BLUE, lw=2 if i == 0 else 0.5, label=_first("brain", i))
        axes.axvline(own["before"], color=GREY, ls="--", lw=2, label="before")
        axes.set_title(name)
        axes.set_xlabel("R² of held-out sounds")
        axes.set_yticks([])
        axes.locator_params(axis="x", nbins=4)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return png_of(figure)


def draw_tasks(document: Mapping[str, Any]) -> bytes:
    """Accuracy of each aligned network minus that before, by task."""
    found: Mapping[str, Mapping[str, Any]] = document["details"]["accuracies"]
    figure = new_figure(7, 0.55 * len(found) + 1.6)
    axes = figure.subplots()
    places = np.arange(len(found))[::-1]
    for place, own in zip(places, found.values(), strict=True):
        for colour, label, shift in DRAWN:
            gains = np.array(own[label]) - own["before"]
            title = _first(label, int(place != places[0]))
            axes.plot(gains, np.full(len(gains), place + shift), "o", color=colour, label=title)
    axes.axvline(0, color=GREY, lw=1)
    axes.set_yticks(places, list(found))
    axes.set_xlabel("accuracy minus that before alignment")
    axes.legend(frameon=False)
    return png_of(figure)


def _first(label: str, i: int) -> str:
    return label if i == 0 else f"_{label}"


PAGE = ResultsPage(
    "alignment",
    "Does alignment with a brain make the network better",
    "The [design](design.md) was written before any result.\n\n"
    "Conclusion, by the design's criterion: no start is helped by the brain (p .24, .94 and .13). "
    "Fine-tuning on responses makes the original SoundNet better, on held-out sounds and on "
    "ESC-10, and so does fine-tuning on responses that are permuted within categories: a "
    "difference of .002 in R² would have been found. On tasks even responses permuted among all "
    "sounds bring most of the gain. The default neither gains nor loses. Random weights gain from "
    "either, most of it from permuted responses; there only a difference of .024 would have been "
    "found. So the default is aligned with no brain.\n\n"
    "What these data cannot show: transfer to other brains, as they are of all subjects together. "
    "An external test on the story of [brain encoding](../encoding/results.md) would show nothing, "
    "either: with its speech synthesised no model predicts these responses reliably.",
    {
        "natural-sounds": [("Scores among those of permuted brains", draw_natural_sounds)],
        "tasks": [("Accuracy after alignment minus before", draw_tasks)],
    },
)
