"""Figures of results pages: one style, reproducible bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#3b6fb6",
    "#d9822b",
    "#3a9a6c",
    "#8a63b0",
    "#b0413e",
    "0.6",
)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
Bar = tuple[float, float | None, float | None]  # a value, and the ends of its interval


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png_of(figure: Figure) -> bytes:
    """The figure without top and right spines, as a PNG without a version."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return buffer.getvalue()


def colour_of(number: int) -> str:
    """Colour of the nth series; there are six."""
    return COLOURS[number % len(COLOURS)]


def draw_bars(
    labels: Sequence[str], series: Mapping[str, Mapping[str, Bar]], axis: str, *, mark: float = 0
) -> bytes:
    """Horizontal bars with intervals: a group for each label, a colour for each series.

    Parameters
    ----------
    labels : sequence of str
        From top to bottom.
    series : mapping
        By name, the bars by label; missing ones stay empty.
    axis : str
        Name of the value.
    mark : float
        Where to draw a vertical line.
    """
    figure = new_figure(8.5, 1.2 + 0.17 * len(labels) * (len(series) + 0.6))
    axes = figure.subplots()
    height = 0.8 / len(series)
    for number, (name, bars) in enumerate(series.items()):
        own = [(place, bars[label]) for place, label in enumerate(labels) if label in bars]
        places = np.array([place for place, _ in own]) + (number + 0.5) * height - 0.4
        ends = np.array([bar[1:] for _, bar in own], dtype=np.float64).reshape(-1, 2)
        values = [bar[0] for _, bar in own]
        axes.barh(places, values, height, color=colour_of(number), label=name)
        axes.hlines(places, ends[:, 0], ends[:, 1], color="0.2", linewidth=1)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.axvline(mark, color="k", linewidth=0.6)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    if len(series) > 1:
        n_columns = min(3, max(1, 100 // max(map(len, series))))
        figure.legend(loc="outside upper center", ncols=n_columns, fontsize=8, frameon=False)
    return png_of(figure)


def bars_of(
    rows: Sequence[Mapping[str, Any]],
    label: str,
    value: str,
    *,
    ends: tuple[str, str] | None = None,
    spread: str | None = None,
) -> dict[str, Bar]:
    """Bars by label from rows of a table, with the columns of interval ends, or of a spread.

    Examples
    --------
    >>> bars_of([{"model": "a", "r": 0.5, "sd": 0.25}], "model", "r", spread="sd")
    {'a': (0.5, 0.25, 0.75)}
    """
    bars: dict[str, Bar] = {}
    for row in rows:
        low, high = (row[ends[0]], row[ends[1]]) if ends else (None, None)
        if spread and row[spread] is not None:
            low, high = row[value] - row[spread], row[value] + row[spread]
        bars[row[label]] = (row[value], low, high)
    return bars
