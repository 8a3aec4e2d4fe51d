"""The page of the published figures, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import BLUE, ORANGE, new_figure, png_of
from benchmarks.hear.pictures import draw_rank_changes
from benchmarks.page import ResultsPage


def draw_encoding(document: Mapping[str, Any]) -> bytes:
    """Baseline and conv4 of each subject, means over repeated trainings."""
    figures = [each for each in document["details"]["figures"] if each["of runs"] == "mean"]
    measures = list(dict.fromkeys(each["measure"] for each in figures))
    picture = new_figure(8.5, 3.2)
    panels = picture.subplots(1, len(measures))
    for axes, measure in zip(panels, measures, strict=True):
        own = [each for each in figures if each["measure"] == measure]
        for subject in sorted({each["subject"] for each in own}):
            stages = [each for each in own if each["subject"] == subject]  # baseline, conv4
            places = range(len(stages))
            axes.plot(places, [each["redone"] for each in stages], ".-", color=BLUE)
            published = [each["published"] for each in stages]
            axes.plot(places, published, "o", color=ORANGE, markerfacecolor="none", markersize=8)
            beside = (-0.15, stages[0]["redone"])
            axes.annotate(f"{subject:02}", beside, ha="right", va="center", fontsize=7)
        axes.set_title(measure.replace(", ", ",\n"), fontsize=9)
        axes.set_xticks([0, 1], ["baseline", "conv4"])
        axes.set_xlim(-0.5, 1.2)
    panels[0].set_ylabel("R², mean over repeated runs")
    picture.supxlabel("a line for each subject: redone; circles: published", fontsize=8)
    return png_of(picture)


PAGE = ResultsPage(
    "published",
    "Published figures, redone",
    "Figures of Freteault et al. 2025 computed again from the authors' tables: a test of the "
    "statistics and rankings of this package on results that are known.",
    {
        "encoding": [("Baseline and conv4", draw_encoding)],
        "hear": [("Places gained over the median baseline, by task and model", draw_rank_changes)],
    },
)
