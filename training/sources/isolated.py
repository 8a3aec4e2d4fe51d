"""Reading of files in foreign formats in a separate process.

The C libraries behind HDF5 and MATLAB files can crash or hang on damaged ones. A child process
reads such a file first, with limits on time and memory; if it fails, the file is reported as
damaged.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 60.0  # for any file, and then
BYTES_PER_SECOND = 5e6  # a slow network disk
CHILD = Path(__file__).with_name("isolated_child.py")


def run_isolated(script: Path, path: Path, *arguments: str, memory_per_byte: int) -> str:
    """Output of a script of this folder about a file.

    Parameters
    ----------
    script : Path
        It imports nothing of this package, prints its result, and raises an exception that
        describes any problem of the file.
    path : Path
        The file, its first argument.
    *arguments : str
        Further arguments.
    memory_per_byte : int
        Memory allowed per byte of the file, in addition to the base memory of a process.

    Raises
    ------
    ValueError
        If it fails, crashes or takes too long.
    """
    options = [str(CHILD), str(memory_per_byte), str(script), str(path.absolute())]
    limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    try:
        done = subprocess.run(
            [sys.executable, "-I", *options, *arguments],
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
