"""The page of the calibration experiments, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, new_figure, png_of
from benchmarks.page import ResultsPage, crossed

COLOURS: Mapping[str, str] = {
    "circular_shift": BLUE,
    "phase_randomised": GREEN,
    "block_permutation": PURPLE,
    "shift of 20 TRs or more": GREY,
    "shuffle": ORANGE,
}


def draw_nulls(document: Mapping[str, Any]) -> bytes:
    """Observed against nominal fractions of p values, setting by setting."""
    levels = np.array(document["details"]["levels"])
    settings = list(dict.fromkeys(row["data"] for row in document["rows"]))
    n_rows = -(-len(settings) // 4)
    figure = new_figure(11, 2.9 * n_rows + 0.4)
    grid = figure.subplots(n_rows, min(4, len(settings)), sharex=True, sharey=True, squeeze=False)
    for axes, setting in zip(grid.flat, settings, strict=False):
        for null, colour in COLOURS.items():
            share = np.array(document["details"]["share"][f"{setting}: {null}"])
            seen = share > 0
            axes.loglog(levels[seen], share[seen], color=colour, label=null, linewidth=1.5)
        axes.plot([levels[0], 1], [levels[0], 1], "k:", linewidth=1)
        axes.set_title(setting, fontsize=9)
    for axes in grid.flat[len(settings) :]:
        axes.axis("off")
    grid[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("p up to ... (dotted: as many as there should be)", fontsize=10)
    figure.supylabel("share of targets without relation", fontsize=10)
    return png_of(figure)


def draw_discoveries(document: Mapping[str, Any]) -> bytes:
    """False discoveries under BH and BY, any false ones under FWE, and power."""
    panels = (
        ("false discoveries, bh", "bh", "false discoveries", "± false"),
        ("false discoveries, by", "by", "false discoveries", "± false"),
        ("any false one, fwe", "fwe", "any false", "± any"),
        ("power, bh", "bh", "power", None),
    )
    first = document["rows"][0]["data"]
    figure = new_figure(11, 2.8)
    for axes, (title, correction, key, error) in zip(figure.subplots(1, 4), panels, strict=True):
        rows = [
            row
            for row in document["rows"]
            if row["data"] == first and row["correction"] == correction
        ]
        errors = [row[error] for row in rows] if error else None
        names = [row["null"] for row in rows]
        colours = [COLOURS[name] for name in names]
        axes.barh(range(len(rows)), [row[key] for row in rows], xerr=errors, color=colours)
        axes.set_yticks(range(len(rows)), names if axes.get_subplotspec().is_first_col() else [])
        axes.invert_yaxis()
        axes.set_title(title, fontsize=9)
        if error:
            axes.axvline(0.05, color="k", linestyle=":", linewidth=1)
    return png_of(figure)


def draw_ceilings(document: Mapping[str, Any]) -> bytes:
    """Mean estimates against the truth, with the spread of single targets."""
    rows = [row for row in document["rows"] if row["method"] == "pairs"]
    figure = new_figure(5.5, 3.2)
    axes = figure.subplots()
    for place, row in enumerate(rows):
        true = row["true ceiling of r"]
        spread = row["one target, ±"] * true
        axes.errorbar(
            place, row["estimate, mean over targets"], spread, fmt="o", color=BLUE, capsize=3
        )
        axes.plot([place - 0.4, place + 0.4], [true, true], "k", linewidth=1.2)
    axes.set_xticks(range(len(rows)), [str(row["repeats"]) for row in rows])
    axes.set_xlabel("repeats (line: true ceiling of r; bars: spread of single targets)")
    axes.set_ylabel("estimate")
    axes.set_ylim(0, 1)
    return png_of(figure)


def draw_intervals(document: Mapping[str, Any]) -> bytes:
    """Coverage by number of runs, ours and that of the percentile bootstrap."""
    names = list(dict.fromkeys(row["scores"] for row in document["rows"]))
    figure = new_figure(11, 2.9)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        rows = [row for row in document["rows"] if row["scores"] == name]
        runs = [str(row["runs"]) for row in rows]
        axes.axhspan(0.93, 0.97, color="0.9")
        axes.errorbar(
            runs, [r["coverage"] for r in rows], [r["±"] for r in rows], fmt="o-", color=BLUE
        )
        axes.plot(runs, [row["percentile bootstrap"] for row in rows], "s--", color="0.6")
        axes.axhline(0.95, color="k", linestyle=":", linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("runs")
    figure.axes[0].set_ylabel("coverage\n(grey squares: percentile)")
    return png_of(figure)


def draw_power(document: Mapping[str, Any]) -> bytes:
    """Power of one target by test hours, a panel for each reliability."""
    rows = document["rows"]
    reliabilities = list(dict.fromkeys(row["reliability"] for row in rows))
    figure = new_figure(3.6 * len(reliabilities) + 0.6, 3.2)
    panels = figure.subplots(1, len(reliabilities), sharey=True, squeeze=False)[0]
    for axes, reliability in zip(panels, reliabilities, strict=True):
        for gain, colour in zip((0.0, 0.01, 0.02, 0.04), (GREY, ORANGE, GREEN, BLUE), strict=True):
            own = [r for r in rows if (r["reliability"], r["gain in R²"]) == (reliability, gain)]
            hours = [row["test hours"] for row in own]
            power = [row["one target, p ≤ .05"] for row in own]
            axes.plot(hours, power, "o-", color=colour, label=f"{gain:g}")
        axes.axhline(0.8, color="k", linestyle=":", linewidth=1)
        axes.set_title(f"reliability {reliability:g}", fontsize=9)
        axes.set_xlabel("hours of test data")
    panels[0].set_ylabel("share of targets with p ≤ .05")
    panels[-1].legend(title="gain in R²", frameon=False, fontsize=8)
    return png_of(figure)


def by_null(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rates at level .05 where a fifth of the targets responds, a row for each null."""
    rows = [row for row in document["rows"] if row["data"] == document["rows"][0]["data"]]
    columns = {
        "false discoveries, none": ("none", "false discoveries"),
        "false discoveries, bh": ("bh", "false discoveries"),
        "false discoveries, by": ("by", "false discoveries"),
        "any false, fwe": ("fwe", "any false"),
        "power, none": ("none", "power"),
        "power, bh": ("bh", "power"),
        "power, by": ("by", "power"),
        "power, fwe": ("fwe", "power"),
    }
    table: dict[str, dict[str, Any]] = {}
    for row in rows:
        own = table.setdefault(row["null"], {"null": row["null"]})
        own |= {name: row[key] for name, (c, key) in columns.items() if c == row["correction"]}
    return [{name: row[name] for name in ("null", *columns)} for row in table.values()]


PAGE = ResultsPage(
    "calibration",
    "Calibration of the statistics",
    "Whether p values, corrections, noise ceilings and intervals of `training evaluate` and "
    "`compare` are right, and which gains they detect with how much data, in simulated experiments "
    "whose truth is known.",
    {
        "nulls": [("How many p values are below a level", draw_nulls)],
        "discoveries": [("False discoveries and power by null", draw_discoveries)],
        "ceilings": [("Estimated and true noise ceilings", draw_ceilings)],
        "intervals": [("Coverage of intervals", draw_intervals)],
        "power": [("Power by hours of test data", draw_power)],
    },
    {
        "nulls": lambda document: crossed(document["rows"], "data", "null", "p ≤ .05"),
        "discoveries": by_null,
    },
)
