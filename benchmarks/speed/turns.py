"""Alternating timing of contenders in one process, so that external load affects all equally.

In addition to wall time, CPU time of all threads is recorded, which hardly depends on other load.
The order changes from round to round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """Times of a contender and of the plain implementation, in seconds, one for each round.

    Attributes
    ----------
    seconds, plain_seconds : tuple of float
        Wall time.
    cpu_seconds, plain_cpu_seconds : tuple of float
        CPU time.

    Examples
    --------
    >>> comparison = Comparison((2.0, 3.0, 9.0), (4.0, 4.0, 6.0), (1.0, 1.0, 1.0), (2.0, 2.0, 4.0))
    >>> comparison.ratios, comparison.ratio, comparison.cpu_ratio
    ((0.5, 0.75, 1.5), 0.75, 0.5)
    """

    seconds: tuple[float, ...]
    plain_seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    plain_cpu_seconds: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """The contender's time relative to the plain one of the same round; below 1 it is
        faster."""
        return _divided(self.seconds, self.plain_seconds)

    @property
    def cpu_ratios(self) -> tuple[float, ...]:
        return _divided(self.cpu_seconds, self.plain_cpu_seconds)

    @property
    def ratio(self) -> float:
        """Median over rounds."""
        return median(self.ratios)

    @property
    def cpu_ratio(self) -> float:
        return median(self.cpu_ratios)

    @property
    def speedups(self) -> tuple[float, ...]:
        """The plain time relative to the contender's of the same round; above 1 it is faster."""
        return _divided(self.plain_seconds, self.seconds)

    @property
    def speedup(self) -> float:
        """Median over rounds."""
        return median(self.speedups)

    def speedup_cells(self) -> dict[str, object]:
        """Cells of the results page: speed-up, with the extremes.

        Examples
        --------
        >>> Comparison((2.0, 1.0), (4.0, 4.0), (1.0, 1.0), (1.0, 1.0)).speedup_cells()
        {'times faster': 3.0, 'from': 2.0, 'to': 4.0}
        """
        return {
            "times faster": self.speedup,
            "from": min(self.speedups),
            "to": max(self.speedups),
        }

    def row(self, work: str) -> dict[str, object]:
        """A row of the results page: medians, and the smallest and largest of the ratios."""
        return {
            "work": work,
            "seconds": median(self.seconds),
            "plain seconds": median(self.plain_seconds),
            "ratio": self.ratio,
            "from": min(self.ratios),
            "to": max(self.ratios),
            "CPU seconds": median(self.cpu_seconds),
            "plain CPU seconds": median(self.plain_cpu_seconds),
            "CPU ratio": self.cpu_ratio,
            "CPU from": min(self.cpu_ratios),
            "CPU to": max(self.cpu_ratios),
        }


def take_turns(plain: Work, contenders: Mapping[str, Work], n_rounds: int) -> dict[str, Comparison]:
    """Time each contender against the plain implementation, after a warm-up round.

    Raises
    ------
    ValueError
        If there is no round.
    """
    if n_rounds < 1:
        raise ValueError(f"expected one round or more, got {n_rounds}")
    works = [plain, *contenders.values()]
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    for work in works:  # imports, and fills the file cache
        work()
    for i in range(n_rounds):
        order = range(len(works)) if i % 2 == 0 else reversed(range(len(works)))
        for place in order:
            times[place].append(_timed(works[place]))
    (plain_seconds, plain_cpu), *others = (tuple(zip(*own, strict=True)) for own in times)
    return {
        name: Comparison(seconds, plain_seconds, cpu_seconds, plain_cpu)
        for name, (seconds, cpu_seconds) in zip(contenders, others, strict=True)
    }


def _timed(work: Work) -> tuple[float, float]:
    """Wall time and CPU time in seconds."""
    start, cpu_start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu_start


def _divided(ours: tuple[float, ...], theirs: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
