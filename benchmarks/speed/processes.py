"""Work in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence


def run_module(module: str, arguments: Sequence[str], failure: str) -> str:
    """What ``python -m module ...`` writes to standard output.

    Parameters
    ----------
    module : str
    arguments : sequence of str
    failure : str
        What to say if it fails, before the last line of its errors.

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
