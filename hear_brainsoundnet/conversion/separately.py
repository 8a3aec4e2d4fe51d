"""Conversion in a separate process with a time limit.

The scan of a pickle rejects the known ways of making loading endless. Against unknown ones,
the system kills the process after some seconds of CPU time, even inside a loop of C code that no
Python signal handler would interrupt; a crash of a reader does not affect the parent either.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CPU_SECONDS = 120  # the original in its archive takes five
WALL_SECONDS = 1_200  # for a process that waits for a disk
PROGRAM = "hear_brainsoundnet.conversion.separately"
_RAISED: dict[str, type[Exception]] = {
    each.__name__: each for each in (FileNotFoundError, PermissionError, OSError, ValueError)
}


def convert_separately(
    source: Path, target: Path, options: Mapping[str, Any], *, cpu_seconds: int = CPU_SECONDS
) -> str:
    """Call :func:`hear_brainsoundnet.conversion.convert` in another process; returns the hash.

    The process is killed after `cpu_seconds`, which is a ValueError, as is a crash.
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
        # What a killed process leaves: of the file, and of the trial whether it can be written.
        trial = f".{target.name}.trial"
        for left in (f".{target.name}.{process.pid}.tmp", trial, f".{trial}.{process.pid}.tmp"):
            target.with_name(left).unlink(missing_ok=True)
    try:
        answer = json.loads(output)
    except ValueError:
        raise ValueError(
            f"{source}: reading it was ended by the system after {cpu_seconds} s of computing or a "
            f"crash (status {process.returncode}); it is damaged or malicious, fetch it again"
        ) from None
    if "error" in answer:
        raise _RAISED.get(answer["kind"], ValueError)(answer["error"])
    return str(answer["hash"])


def _limit(cpu_seconds: int) -> None:
    """Have the system kill this process after this much CPU time."""
    try:
        import resource
    except ImportError:  # only on Windows, where only the parent's timeout ends this process
        return
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """The other process: a request as JSON on standard input, the answer on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reported by the parent process
    _limit(int(sys.argv[1]))
    asked = json.load(sys.stdin)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    from hear_brainsoundnet.conversion import convert

    try:
        answer = {"hash": convert(asked["source"], asked["target"], **asked["options"])}
    except (ValueError, OSError) as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
