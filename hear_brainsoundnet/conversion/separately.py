"""Conversion in a process of its own, which a limit of time ends.

The scan of a pickle refuses what would take for ever as far as it is known. Against what is not,
the system ends the process after some seconds of computing, even inside a loop of C code that no
signal handler of Python would interrupt; and a crash of a reader takes nothing else along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CPU_SECONDS = 120  # the original in its archive takes five
WALL_SECONDS = 1_200  # for a process that waits for a disk
PROGRAM = "hear_brainsoundnet.conversion"
_RAISED: dict[str, type[Exception]] = {
    each.__name__: each for each in (FileNotFoundError, PermissionError, OSError, ValueError)
}


def convert_separately(
    source: Path, target: Path, options: Mapping[str, Any], *, cpu_seconds: int = CPU_SECONDS
) -> str:
    """Call :func:`hear_brainsoundnet.conversion.convert` in another process; returns the hash.

    Parameters
    ----------
    source, target : Path
        As for ``convert``.
    options : mapping
        Its other arguments; plain values.
    cpu_seconds : int
        Computing time after which the process is ended.

    Raises
    ------
    FileNotFoundError, OSError, ValueError
        As ``convert`` raises them, and if the process is ended or crashes.
    """
    asked = {"source": os.fspath(source), "target": os.fspath(target), "options": dict(options)}
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, str(cpu_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        output, _ = process.communicate(json.dumps(asked).encode(), timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        for left in target.parent.glob(f".{target.name}.{process.pid}.tmp"):
            left.unlink(missing_ok=True)
    try:
        answer = json.loads(output)
    except ValueError:
        raise ValueError(
            f"{source}: reading it was ended by the system after {cpu_seconds} s of computing or a "
            f"crash (status {process.returncode}); it is damaged or a trap, fetch it anew"
        ) from None
    if "error" in answer:
        raise _RAISED.get(answer["kind"], ValueError)(answer["error"])
    return str(answer["hash"])
