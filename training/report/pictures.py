"""Common style of all plots on the page: small SVGs without a date."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

WIDTH = 4.8  # inches: half of the page, or the width of a phone
LONGEST_NAME = 30
GREY = "#9aa5b0"
ACCENT = "#0b6e8f"
COLOURS = (
    "#0b6e8f", "#d0792c", "#4f8f4a", "#a04a86", "#b8a12f", "#5a63b0", "#b5453c", "#5fa8b8",
    "#7a6048", "#67727e",
)  # fmt: skip

_STYLE: Any = {
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b6bec6",
    "axes.labelcolor": "#1d2733",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": "#5a6673",
    "ytick.color": "#5a6673",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "report",  # equal results give equal pages
    "svg.fonttype": "path",
}


class Drawing:
    """A figure that is rendered to SVG when its ``with`` block ends.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        Figure to draw on.
    svg : bytes
        Result, after the block.
    """

    def __init__(self, figure: Any) -> None:
        self.figure = figure
        self.svg = b""


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[Drawing]:
    """A figure in the style of the page, sizes in inches.

    Examples
    --------
    >>> with drawing(1.0) as picture:
    ...     _ = picture.figure.subplots().plot([1, 2])
    >>> b"<svg" in picture.svg
    True
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        picture = Drawing(Figure(figsize=(width, height), layout="constrained"))
        yield picture
        buffer = io.BytesIO()
        picture.figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    picture.svg = buffer.getvalue()


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """A name for use in a plot: printable, without formulas, and shortened in the middle.

    Examples
    --------
    >>> plain("5 $ of left_superior_temporal", longest=12)
    '5 \\\\$ of…poral'
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(shown) > longest:
        shown = shown[: longest // 2] + "…" + shown[longest // 2 + 1 - longest :]
    return shown.replace("$", r"\$")


def model_colours(names: Sequence[str]) -> dict[str, str]:
    """The colour of each model, the same in all pictures of an evaluation.

    Examples
    --------
    >>> model_colours(["frozen"])
    {'frozen': '#0b6e8f'}
    """
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
