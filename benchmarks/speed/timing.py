"""Time and memory of work: of contenders in turn in one process, and of other processes.

Taking turns lets other load on the machine affect all contenders equally.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

Work = Callable[[], object]
# A child process inherits the peak memory of its parent, so a small one starts it.
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Comparison:
    """Times of a contender and of the plain implementation, in seconds, one for each round.

    CPU times are those of all threads, and hardly depend on other load.

    Examples
    --------
    >>> comparison = Comparison((2.0, 3.0, 9.0), (4.0, 4.0, 6.0), (1.0, 1.0, 1.0), (2.0, 2.0, 4.0))
    >>> comparison.ratios, comparison.speedup_cells()["to"]
    ((0.5, 0.75, 1.5), 2.0)
    """

    seconds: tuple[float, ...]
    plain_seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    plain_cpu_seconds: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """The contender's time relative to the plain one of the same round; below 1: faster."""
        return _divided(self.seconds, self.plain_seconds)

    @property
    def cpu_ratios(self) -> tuple[float, ...]:
        """The same of CPU times."""
        return _divided(self.cpu_seconds, self.plain_cpu_seconds)

    @property
    def speedups(self) -> tuple[float, ...]:
        """The inverse of :attr:`ratios`; above 1: faster."""
        return _divided(self.plain_seconds, self.seconds)

    def speedup_cells(self, scale: float = 1.0) -> dict[str, object]:
        """Cells of a table: median, smallest and largest speed-up, multiplied by `scale`."""
        own = [scale * each for each in self.speedups]
        return {"times faster": median(own), "from": min(own), "to": max(own)}

    def row(self, work: str) -> dict[str, object]:
        """A row of a table: medians, and the smallest and largest of the ratios."""
        return {
            "work": work,
            "seconds": median(self.seconds),
            "plain seconds": median(self.plain_seconds),
            "ratio": median(self.ratios),
            "from": min(self.ratios),
            "to": max(self.ratios),
            "CPU seconds": median(self.cpu_seconds),
            "plain CPU seconds": median(self.plain_cpu_seconds),
            "CPU ratio": median(self.cpu_ratios),
            "CPU from": min(self.cpu_ratios),
            "CPU to": max(self.cpu_ratios),
        }


def take_turns(plain: Work, contenders: Mapping[str, Work], n_rounds: int) -> dict[str, Comparison]:
    """Time each contender against the plain implementation, after a warm-up round.

    The order changes from round to round.

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
            start, cpu_start = time.perf_counter(), time.process_time()
            works[place]()
            times[place].append((time.perf_counter() - start, time.process_time() - cpu_start))
    (plain_seconds, plain_cpu), *others = (tuple(zip(*own, strict=True)) for own in times)
    return {
        name: Comparison(seconds, plain_seconds, cpu_seconds, plain_cpu)
        for name, (seconds, cpu_seconds) in zip(contenders, others, strict=True)
    }


@dataclass(frozen=True)
class Machine:
    """The machine at the beginning of a measurement: cores that this process may use, and the load
    average over the last minute, None if unknown.
    """

    processor: str
    n_cores: int
    load: float | None

    def note(self) -> str:
        """A sentence for the results page.

        Examples
        --------
        >>> Machine("Pentium", 2, 3.21).note()
        'Machine: 2 cores (Pentium); load average 3.2 at the beginning, so that other work took \
part of them.'
        """
        words = f"Machine: {self.n_cores} cores ({self.processor})"
        if self.load is None:
            return f"{words}."
        busy = ", so that other work took part of them" if self.load > self.n_cores / 2 else ""
        return f"{words}; load average {self.load:.1f} at the beginning{busy}."


def machine() -> Machine:
    """The machine now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    known = hasattr(os, "sched_getaffinity")
    n_cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    table = Path("/proc/cpuinfo")  # of Linux; other systems know it by a call
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return Machine(processor, n_cores, load)


def _divided(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Cost:
    """Wall time and CPU time of all cores in seconds, and peak resident bytes of a process."""

    seconds: float
    cpu_seconds: float
    peak: int


def run_module(module: str, arguments: Sequence[str], failure: str) -> str:
    """Standard output of ``python -m module ...``.

    Raises
    ------
    ChildProcessError
        If it fails: `failure`, and the last line of its errors.
    """
    return _output([sys.executable, "-m", module, *arguments], failure)


def measure_module(arguments: Sequence[str], failure: str) -> Cost:
    """Time and memory of ``python -m ...``; errors as for :func:`run_module`."""
    began = time.monotonic()
    launcher = [sys.executable, "-S", "-c", LAUNCHER, sys.executable, "-m", *arguments]
    output = _output(launcher, failure)
    seconds = time.monotonic() - began
    cpu_seconds, peak = json.loads(output)
    return Cost(seconds, cpu_seconds, peak * (1 if sys.platform == "darwin" else 1024))


def _output(command: Sequence[str], failure: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ChildProcessError(f"{failure}: {last}")
    return done.stdout
