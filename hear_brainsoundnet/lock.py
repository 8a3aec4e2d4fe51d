"""One job at a time in a folder of results.

Who writes into a folder holds a lock on a file in it, which the system lets go of when the process
ends, however it ends. (The file itself may stay; it says who held it.) Network file systems that
know locks, such as NFS, keep out jobs of other machines as well.
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
# Environment variables by which launchers number the processes of one job.
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
_held: set[int] = set()  # descriptors

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only job that writes into `folder`; it is made, and goes again if nothing was written.

    Raises
    ------
    BlockingIOError
        If another job is writing there.
    OSError
        If the folder cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        yield  # nothing can be written there, as whoever tries will say
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
            except OSError:  # it has been put to use
                break


def one_job_per_folder(parameter: str = "out") -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator for functions that write into the folder which one of their parameters names.

    A disk that is full is said in the words of :func:`hear_brainsoundnet.files.cannot_write`,
    whichever library has met it.

    Where a launcher has several processes do one job together, the first one has the lock.
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
    """What is in a folder, but for the lock and what killed jobs left half written; sorted."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name != LOCK_FILE and not is_leftover(p))


def _take(path: Path) -> int:
    """Lock the file; returns its descriptor, which holds the lock while it is open."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            _lock(descriptor, path)
            if _is_still(descriptor, path):  # who held it before may just have removed it
                holder = f"process {os.getpid()} on {socket.gethostname()}"
                with suppress(OSError):  # a full disk can still be locked
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
            "%s cannot be locked on this system (%s): see that no other job writes there",
            path.parent,
            error,
        )


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _let_go_in_child() -> None:
    """A worker that outlives its job must not keep the folder from the next one."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
