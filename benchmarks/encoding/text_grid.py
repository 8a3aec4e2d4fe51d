"""Reader of word times in Praat's TextGrid, long text form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r'name = "((?:[^"]|"")*)"')
_COUNT = re.compile(r"intervals: size = (\d+)")
_INTERVAL = re.compile(
    r"intervals \[\d+\]:\s*xmin = (\S+)\s*xmax = (\S+)\s*text = " + r'"((?:[^"]|"")*)"'
)


@dataclass(frozen=True)
class Interval:
    """Label of a tier from `start` to `stop`, in seconds."""

    start: float
    stop: float
    text: str


def read_tier(path: Path, tier: str) -> list[Interval]:
    """All intervals of a tier, the empty ones included.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a TextGrid, has no such tier, or the tier is incomplete.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such TextGrid: {path}")
    try:
        return parse_tier(path.read_text(encoding="utf-8-sig"), tier)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_tier(text: str, tier: str) -> list[Interval]:
    """As :func:`read_tier`, from the content of the file.

    Examples
    --------
    >>> parse_tier('''"ooTextFile" "TextGrid"
    ...     name = "word"
    ...     intervals: size = 1
    ...     intervals [1]:
    ...         xmin = 20.5
    ...         xmax = 21
    ...         text = "Alice" ''', "word")
    [Interval(start=20.5, stop=21.0, text='Alice')]
    """
    if "TextGrid" not in text[:200]:
        raise ValueError("no TextGrid in the long text form; save it from Praat as text file")
    _, *pieces = _NAME.split(text)
    tiers = dict(zip(pieces[::2], pieces[1::2], strict=True))
    if tier not in tiers:
        raise ValueError(f"no tier {tier!r}, it has {', '.join(tiers) or 'none'}")
    content = tiers[tier]
    intervals = [
        Interval(float(start), float(stop), label.replace('""', '"').strip())
        for start, stop, label in _INTERVAL.findall(content)
    ]
    count = _COUNT.search(content)
    if count is None or int(count[1]) != len(intervals):
        announced = count[1] if count else "no number of"
        raise ValueError(
            f"tier {tier!r} declares {announced} intervals and has {len(intervals)}; is the file "
            "complete?"
        )
    return intervals
