"""The page of the speed measurements, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import bars_of, colour_of, draw_bars, new_figure, png_of
from benchmarks.page import ResultsPage


def draw_speed_ups(document: Mapping[str, Any]) -> bytes:
    """How many times faster than the earlier recipe, by length and number of clips."""
    rows = [{**row, "clips": f"{row['batch']} x {row['clip (s)']} s"} for row in document["rows"]]
    series = {
        kind: bars_of(
            [row for row in rows if row["kind"] == kind],
            "clips",
            "times faster",
            ends=("from", "to"),
        )
        for kind in dict.fromkeys(row["kind"] for row in rows)
    }
    labels = list(dict.fromkeys(row["clips"] for row in rows))
    return draw_bars(labels, series, "times faster than the earlier recipe", mark=1)


def draw_memory(document: Mapping[str, Any]) -> bytes:
    """Peak memory above the model against the length of one sound."""
    figure = new_figure(6, 3)
    axes = figure.subplots()
    rows = [row for row in document["tables"][0]["rows"] if row["clips"] == 1]
    kinds = dict.fromkeys((row["who"], row["kind"]) for row in rows)
    for number, (who, kind) in enumerate(kinds):
        own = [row for row in rows if (row["who"], row["kind"]) == (who, kind)]
        seconds = [float(row["clip (s)"]) for row in own]
        peaks = [max(1, row["peak (MB)"]) for row in own]
        axes.loglog(seconds, peaks, ".-", color=colour_of(number), label=f"{who}, {kind}")
    axes.set_xlabel("length of the sound (s)")
    axes.set_ylabel("peak above the model (MB, 1 or more)")
    axes.legend(fontsize=8, frameon=False)
    return png_of(figure)


def draw_ratios(document: Mapping[str, Any]) -> bytes:
    """Duration of an epoch relative to the earlier recipe, by number of threads."""
    rows = document["rows"]
    series = {
        f"{n} threads": bars_of(
            [row for row in rows if row["threads"] == n], "work", "ratio", ends=("from", "to")
        )
        for n in dict.fromkeys(row["threads"] for row in rows)
    }
    labels = list(dict.fromkeys(row["work"] for row in rows))
    return draw_bars(labels, series, "duration relative to the earlier recipe", mark=1)


PAGE = ResultsPage(
    "speed",
    "Speed",
    "Time and memory beside the earlier public code and plain loops that do the same work, on CPU "
    "cores, float32; the GPU was not measured. Ridge regression over 5,000 voxels: "
    "[correspondence](../correspondence/results.md).",
    {
        "embedding": [("Speed-up by length and number of clips", draw_speed_ups)],
        "long": [("Peak memory by length of the sound", draw_memory)],
        "folder": [],
        "many_files": [],
        "epoch": [("Duration of an epoch", draw_ratios)],
        "preparation": [],
        "season": [],
        "voxels": [],
    },
)
