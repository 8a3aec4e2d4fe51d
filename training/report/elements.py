"""Elements of the page, and the common style of its plots: small SVGs without a date.

All text is escaped here, and only here.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from training.evaluation.folders import ComparisonInfo, EvaluationInfo
from training.evaluation.target_scores import ALL

NOTHING = "–"  # undefined or unknown
_SVG = "image/svg+xml"
_MEDIA = {b"\x89PNG": "image/png", b"RIFF": "image/webp"}  # by their first bytes
CORRECTIONS = {
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "fwe": "family-wise, by the largest score over targets",
    "none": "not corrected",
}
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


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is a class of the style sheet.

    Examples
    --------
    >>> paragraph("r < 0", "note")
    '<p class="note">r &lt; 0</p>'
    """
    return f"<p{_class(kind)}>{escape(text)}</p>"


def heading(text: str, level: int = 3) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def section(title: str, anchor: str, parts: Iterable[str]) -> str:
    """A section of the page, empty if it has no parts, without a heading then."""
    content = "\n".join(part for part in parts if part)
    if not content:
        return ""
    return f'<section id="{escape(anchor)}">\n{heading(title, 2)}\n{content}\n</section>'


def bullets(texts: Iterable[str]) -> str:
    """A list; empty for no items."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def folded(title: str, content: str) -> str:
    """Content shown on a click."""
    return f"<details><summary>{escape(title)}</summary>\n{content}\n</details>"


def command(text: str) -> str:
    """A shell command."""
    return f"<pre><code>{escape(text)}</code></pre>"


def cards(values: Sequence[tuple[str, str, str]]) -> str:
    """Headline numbers: the value, its description, and a detail such as its interval."""
    items = "".join(
        f"<div><strong>{escape(value)}</strong><span>{escape(label)}</span>"
        f"<small>{escape(detail)}</small></div>"
        for value, label, detail in values
    )
    return f'<div class="cards">{items}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """A table; columns whose heading starts with ``#`` are numbers."""
    kinds = [_class("n" if name.startswith("#") else "") for name in head]
    cells = "".join(
        f'<th scope="col"{kind}>{escape(name.removeprefix("#"))}</th>'
        for kind, name in zip(kinds, head, strict=True)
    )
    lines = [
        "<tr>"
        + "".join(
            f"<td{kind}>{escape(str(value))}</td>" for kind, value in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in rows
    ]
    above = paragraph(caption, "note") if caption else ""
    return (
        f'{above}<div class="wide" tabindex="0"><table><thead><tr>{cells}</tr></thead>\n<tbody>'
        + "\n".join(lines)
        + "</tbody></table></div>"
    )


def figure(picture: bytes, description: str, caption: str = "", kind: str = "") -> str:
    """A picture inside the page.

    Parameters
    ----------
    picture : bytes
        PNG, WebP or SVG. As an image, an SVG cannot run scripts.
    description : str
        Alternative text.
    caption : str
        Below it.
    kind : str
        A class of the style sheet; "wide-picture" scrolls in its box on small screens.
    """
    media = next((kind for start, kind in _MEDIA.items() if picture.startswith(start)), _SVG)
    data = base64.b64encode(picture).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure{_class(kind)}><div class="picture"><img src="data:{media};base64,{data}" '
        f'alt="{escape(description)}"></div>{below}</figure>'
    )


def side_by_side(*figures: str) -> str:
    """Figures side by side if space allows; empty for none."""
    return f'<div class="beside">{"".join(figures)}</div>' if figures else ""


def frame(page: str, title: str) -> str:
    """A sandboxed page inside this one: it can run scripts but not access anything else."""
    # Such pages are mostly numbers in double quotes: single quotes around it keep it small.
    source = page.replace("&", "&amp;").replace("'", "&#39;")
    return (
        f'<div class="turning"><iframe sandbox="allow-scripts" loading="lazy" '
        f"title=\"{escape(title)}\" srcdoc='{source}'></iframe></div>"
    )


def number(value: float, digits: int = 3) -> str:
    """A number with a proper minus, or a dash.

    Examples
    --------
    >>> number(-0.12345), number(float("nan"))
    ('−0.123', '–')
    """
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """Both bounds in brackets, or a dash.

    Examples
    --------
    >>> interval(-0.1, 0.25)
    '[−0.100, 0.250]'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOTHING
    return f"[{number(low)}, {number(high)}]"


def p_value(p: float) -> str:
    """Two significant digits, never 0.

    Examples
    --------
    >>> p_value(0.000999), p_value(0.25), p_value(1.0)
    ('0.001', '0.25', '1')
    """
    return f"{p:.2g}" if math.isfinite(p) else NOTHING


def percent(share: float) -> str:
    """A share as a percentage, or a dash."""
    return f"{share * 100:.0f} %".replace("-", "−") if math.isfinite(share) else NOTHING


def _class(kind: str) -> str:
    return f' class="{escape(kind)}"' if kind else ""


def brain(subject: str | None) -> str:
    """Name of a subject.

    Examples
    --------
    >>> brain("all"), brain("sub-01")
    ('all subjects together', 'sub-01')
    """
    return "all subjects together" if subject == ALL else str(subject)


def at_level(info: EvaluationInfo | ComparisonInfo) -> str:
    """The significance criterion."""
    if info.correction == "none":
        return f"p ≤ {info.alpha:g}, not corrected"
    return f"corrected p ≤ {info.alpha:g} ({CORRECTIONS[info.correction]})"


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
