"""What must be known of the machine to read a time."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A machine when a measurement began.

    Attributes
    ----------
    processor : str
        Its name, as far as the system tells.
    n_cores : int
        Cores that this process may use.
    load : float or None
        Processes that wanted a core, on average over the last minute; none where it is not told.
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
    """The machine as it is now."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Machine(_processor(), _n_cores(), load)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Linux tells it in a file, other systems by a call."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
