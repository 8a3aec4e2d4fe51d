"""Filter that keeps the MP3 decoder's notes off standard error.

The decoder inside libsndfile writes notes about damage to standard error without naming the file.
Relevant damage is reported by the reader's own errors and findings. While a command runs,
everything that libraries write to the descriptor goes through a pipe that drops these notes and
passes the rest on; Python's own messages and progress bars are not redirected.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TextIO

STDERR = 2
_NOTE = re.compile(rb"(Note|Warning): |\[src/libmpg123/|\s*$")  # beginnings of lines


@contextmanager
def decoder_notes_dropped() -> Iterator[None]:
    """Drop the decoder's notes; does nothing if standard error is closed or not Python's own."""
    stream = sys.stderr
    try:
        is_own = stream.fileno() == STDERR
        real = os.dup(STDERR)
    except (AttributeError, OSError, ValueError):
        yield
        return
    inlet, outlet = os.pipe()
    os.dup2(outlet, STDERR)
    os.close(outlet)
    passing_on = Thread(target=_pass_on, args=(inlet, real), daemon=True)
    passing_on.start()
    try:
        if not is_own:
            yield
            return
        with open(real, "w", buffering=1, errors="backslashreplace", closefd=False) as direct:
            _redirect(stream, direct)
            try:
                yield
            finally:
                _redirect(direct, stream)
    finally:
        os.dup2(real, STDERR)  # the last writer of the pipe, so that it ends
        passing_on.join(timeout=1)
        os.close(real)


def _redirect(old: TextIO, new: TextIO) -> None:
    """Redirect Python's standard error, and the log that goes there."""
    old.flush()
    sys.stderr = new
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old:
            handler.setStream(new)


def _pass_on(inlet: int, real: int) -> None:
    with open(inlet, "rb", buffering=0) as pipe:
        rest = b""
        while content := pipe.read(2**16):
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                if not _NOTE.match(line):
                    os.write(real, line + b"\n")
        if rest and not _NOTE.match(rest):
            os.write(real, rest)
