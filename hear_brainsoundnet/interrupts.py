"""Ctrl-C: the first one stops a command in good order, the second at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STATUS = 130


@contextmanager
def interruptible(program: str) -> Iterator[None]:
    """While it lasts, SIGINT raises KeyboardInterrupt once, and ends the process the second time.

    Nothing that is written is harmed: files appear under their name only when they are whole. An
    interrupt that nobody else takes, as while modules are imported, is one line and status 130.
    Where SIGINT is ignored, as in the background of a shell, it stays so.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def stop_at_once(number: int, frame: FrameType | None) -> None:
        # Not print, which cannot be called within itself, and not through any pipe.
        os.write(sys.stderr.fileno(), f"{program}: stopped at once\n".encode())
        os._exit(STATUS)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, stop_at_once)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(STATUS)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
