"""Description of the machine, needed to interpret times."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """State of the machine at the beginning of a measurement.

    Attributes
    ----------
    processor : str
        Its name, if known.
    n_cores : int
        Cores that this process may use.
    load : float or None
        Load average over the last minute; None if unknown.
    """

    processor: str
    n_cores: int
    load: float | None

    def note(self) -> str:
        """A sentence for the results page.

        Examples
        --------
        >>> Machine("Pentium", 2, 3.21).note()
        '2 cores (Pentium); load average 3.2 at the beginning, so that other work took part of them'
        """
        words = f"{self.n_cores} cores ({self.processor})"
        if self.load is None:
            return words
        busy = ", so that other work took part of them" if self.load > self.n_cores / 2 else ""
        return f"{words}; load average {self.load:.1f} at the beginning{busy}"


def machine() -> Machine:
    """The current state of the machine."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(_processor(), _n_cores(), load)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Linux provides it in a file, other systems by a call."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
