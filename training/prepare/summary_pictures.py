"""Plots of the summary page, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from training.data.prepared import Prepared, Run
from training.prepare.synchrony import Alignment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 7.2  # inches: fits a printed page and is readable on a phone
MAX_DRAWN = 12
_EXPECTED, _MEASURED = "#b0b0b0", "#b34700"


def spread(n: int, at_most: int = MAX_DRAWN) -> list[int]:
    """Indices of the items to draw out of `n`: all, or equally spaced ones, including first and
    last.

    Examples
    --------
    >>> spread(3), spread(100, at_most=3)
    ([0, 1, 2], [0, 50, 99])
    """
    if n <= at_most:
        return list(range(n))
    return [int(i) for i in np.linspace(0, n - 1, at_most).round()]


def draw_alignment(runs: Sequence[Run], alignments: Sequence[Alignment]) -> bytes:
    """Expected and measured signal over time, one row per run."""
    figure = _figure(0.7 + 1.25 * len(runs))
    axes = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axis, run, alignment in zip(axes, runs, alignments, strict=True):
        minutes = (run.start + run.tr * np.arange(run.n_trs)) / 60
        axis.plot(minutes, alignment.expected, color=_EXPECTED, linewidth=2, label="expected")
        axis.plot(minutes, alignment.auditory, color=_MEASURED, linewidth=0.9, label="measured")
        axis.set_title(
            _plain(f"{run.subject}  {run.name}   lag {alignment.lag:+.1f} s, r {alignment.r:.2f}"),
            loc="left",
            fontsize=8,
        )
        axis.margins(x=0)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("minutes of the stimulus", fontsize=8)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=2,
        fontsize=8,
        frameon=False,
    )
    return _png(figure)


def draw_responses(dataset: Prepared, subjects: Sequence[str]) -> bytes:
    """The range of responses to each sound over targets, one row per subject."""
    figure = _figure(0.7 + 1.6 * len(subjects))
    axes = figure.subplots(len(subjects), 1, squeeze=False)[:, 0]
    for axis, subject in zip(axes, subjects, strict=True):
        runs = [run for run in dataset.runs if run.subject == subject]
        quantiles = np.array(
            [np.nanpercentile(dataset.bold(run)[0], (5, 50, 95)) for run in runs], dtype=float
        )
        sounds = np.arange(1, len(runs) + 1)
        low, middle, high = quantiles.T
        axis.bar(sounds, high - low, bottom=low, width=0.9, color="#d9a27a")
        axis.plot(sounds, middle, ".", color="black", markersize=2)
        axis.axhline(0, color=_EXPECTED, linewidth=0.6)
        axis.set_title(_plain(subject), loc="left", fontsize=8)
        axis.set_ylabel("z", fontsize=8)
        axis.margins(x=0.01)
        axis.xaxis.get_major_locator().set_params(integer=True)  # integer counts
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("sound, in the order of the table", fontsize=8)
    return _png(figure)


def _figure(height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    return figure


def _plain(text: str) -> str:
    """Escape dollar signs, which would start a formula."""
    return text.replace("$", r"\$")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
