"""Work in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

# A child process inherits the peak memory of its parent, so a small one starts it.
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Cost:
    """Wall time and CPU time of all cores in seconds, and peak resident bytes of a process."""

    seconds: float
    cpu_seconds: float
    peak: int


def run_module(module: str, arguments: Sequence[str], failure: str) -> str:
    """Standard output of ``python -m module ...``.

    Parameters
    ----------
    module : str
    arguments : sequence of str
    failure : str
        Message prefix for a failure, before the last line of its errors.

    Raises
    ------
    ChildProcessError
        If it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ChildProcessError(f"{failure}: {last}")
    return done.stdout


def measure_module(arguments: Sequence[str], failure: str) -> Cost:
    """Time and memory of ``python -m ...``.

    Raises
    ------
    ChildProcessError
        If it fails.
    """
    began = time.monotonic()
    launcher = [sys.executable, "-S", "-c", LAUNCHER, sys.executable, "-m", *arguments]
    ran = subprocess.run(launcher, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"exit status {ran.returncode}"])[-1]
        raise ChildProcessError(f"{failure}: {last}")
    seconds = time.monotonic() - began
    cpu_seconds, peak = json.loads(ran.stdout)
    return Cost(seconds, cpu_seconds, peak * (1 if sys.platform == "darwin" else 1024))
