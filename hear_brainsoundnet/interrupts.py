"""Ctrl-C: the first one stops a command cleanly, the second at once."""

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
    """Context in which the first SIGINT raises KeyboardInterrupt and the second ends the process.

    No output is corrupted: files appear under their name only when complete. An unhandled
    interrupt, for example while modules are imported, prints one line and exits with status 130.
    Where SIGINT is ignored, as in a shell's background, it stays ignored.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def stop_at_once(number: int, frame: FrameType | None) -> None:
        # Not print, which is not reentrant, and not through any pipe.
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
