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
CHILD = Path(__file__).with_name("isolated_child.py")


def run_isolated(script: Path, path: Path, *arguments: str, memory_per_byte: int) -> str:
    """What a script of this folder prints about a file.

    Parameters
    ----------
    script : Path
        It imports nothing of this package, prints its result, and raises an exception that
        describes what is wrong with the file.
    path : Path
        The file, its first argument.
    *arguments : str
        The others.
    memory_per_byte : int
        Bytes of memory that each byte of the file may take, beside what any process takes.

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
