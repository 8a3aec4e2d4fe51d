"""Reading files of foreign formats in a process of its own.

The C libraries behind HDF5 and MATLAB files can crash or hang on damaged ones. A child process
looks at such a file first, with limits on its time and memory; if it comes to grief, the file is
damaged and the program goes on.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 60.0  # for any file, and then
BYTES_PER_SECOND = 5e6  # a slow network disk


def run_isolated(script: Path, path: Path, *arguments: str) -> str:
    """What a script of this folder prints about a file.

    Parameters
    ----------
    script : Path
        It imports nothing of this package, prints its result, and describes what is wrong with the
        file in one line on standard error before it exits with status 1.
    path : Path
        The file, its first argument.
    *arguments : str
        The others.

    Raises
    ------
    ValueError
        If it fails, crashes or takes too long.
    """
    limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(script), str(path.absolute()), *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{path} is damaged (reading it took more than {limit:.0f} s); fetch it again"
        ) from error
    if done.returncode == 0:
        return done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    said = lines[-1] if done.returncode == 1 and lines else f"its library ended: {done.returncode}"
    raise ValueError(f"{path} is damaged or cut off ({said[:300]}); fetch it again")
