"""Work in a separate process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence


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
