"""Exclusive lock on a folder of results.

A writer holds a lock on a file in the folder, which the system releases when the process ends,
however it ends. (The file itself may stay; it records the holder.) Network file systems that
support locks, such as NFS, also exclude processes on other machines.
"""

from __future__ import annotations

import errno
import inspect
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from hear_brainsoundnet.files import CANNOT_WRITE, cannot_write, is_leftover, of_a_full_disk

logger = logging.getLogger(__name__)

LOCK_FILE = ".writing.lock"
# Environment variables by which launchers number the processes of a job.
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
_held: set[int] = set()  # descriptors

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold exclusive write access to `folder`; it is created, and removed again if left empty.

    Raises
    ------
    BlockingIOError
        If another process is writing there.
    OSError
        If the folder cannot be created or written to.
    """
    if folder.exists() and not folder.is_dir():
        yield  # not writable; the writer's own error reports it
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    try:
        descriptor = _take(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            _held.discard(descriptor)
            os.close(descriptor)
    finally:
        for each in made:
            try:
                each.rmdir()
            except OSError:  # it is in use
                break


def one_job_per_folder(parameter: str = "out") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator that locks the output folder named by a parameter of the function.

    A full disk is reported by :func:`hear_brainsoundnet.files.cannot_write`, whichever library
    raised the error.

    When a launcher runs one job in several processes, the first one holds the lock.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @wraps(function)
        def alone(*args: P.args, **kwargs: P.kwargs) -> T:
            if any(os.environ.get(name, "0") != "0" for name in RANKS):
                return function(*args, **kwargs)
            folder = Path(signature.bind(*args, **kwargs).arguments[parameter])
            with locked(folder):
                try:
                    return function(*args, **kwargs)
                except (OSError, RuntimeError) as error:
                    if CANNOT_WRITE not in str(error) and (full := of_a_full_disk(error)):
                        raise cannot_write(folder, full) from error
                    raise

        return alone

    return decorate


def contents(folder: Path) -> list[Path]:
    """Contents of a folder except the lock and temporary files of killed processes; sorted."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name != LOCK_FILE and not is_leftover(p))


def _take(path: Path) -> int:
    """Lock the file; returns its descriptor, which holds the lock while it is open."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            _lock(descriptor, path)
            if _is_still(descriptor, path):  # the previous holder may just have removed it
                holder = f"process {os.getpid()} on {socket.gethostname()}"
                with suppress(OSError):  # a lock works on a full disk
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, holder.encode())
                _held.add(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace")
        who = f" ({holder})" if holder else ""
        raise BlockingIOError(
            f"{path.parent}: another job is writing here{who}; wait until it has ended, or give "
            "another folder"
        ) from error
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _UNKNOWN:
            raise
        logger.warning(
            "%s cannot be locked on this system (%s): make sure that no other job writes there",
            path.parent,
            error,
        )


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _let_go_in_child() -> None:
    """Release the lock in a child process, so that a surviving worker does not block the next
    job."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
