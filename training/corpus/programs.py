"""Calls of the synthesiser programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path


def run_program(command: list[str], text: str | None = None) -> str:
    """Standard output of a program; `text` is its standard input.

    Raises
    ------
    OSError
        If it is not installed, or fails.
    """
    try:
        done = subprocess.run(command, input=text or "", check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise OSError(
            f"{command[0]} is missing; install it (apt-get install {command[0]}), or build the "
            "corpus without it: give the other sources with --only"
        ) from error
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split())[:300] or f"exit status {error.returncode}"
        raise OSError(f"{command[0]} failed ({reason})") from error
    return done.stdout


def write_once(
    path: Path,
    command: list[str],
    text: str | None = None,
    then: Callable[[Path], None] | None = None,
) -> None:
    """Write a file by a program, unless it exists; it appears under its name when complete.

    `command` refers to the file as ``{out}``; `then` post-processes it.
    """
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        run_program([str(temporary) if each == "{out}" else each for each in command], text)
        if then is not None:
            then(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
