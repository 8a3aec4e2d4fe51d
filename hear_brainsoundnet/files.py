"""Writing of files: they appear under their name only when complete; CSV tables."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

LONGEST_NAME = 255  # bytes, on all usual file systems
CANNOT_WRITE = "cannot be written"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ERRNO = re.compile(r"\berrno = (\d+)")
_LEFTOVER = re.compile(r"\..+\.\d+\.tmp", re.DOTALL)

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # prefixes of formulas in spreadsheets


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write to a temporary file in the same folder, then rename; folders are created as needed.

    `durable` waits until the data are on disk, so that a power cut leaves either the old or the new
    content under the name. Otherwise an empty file may be left.

    Raises
    ------
    OSError
        If it cannot be written; the old content stays, and no temporary file is left.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "deep", "note.txt"), b"whole")
    ...     Path(folder, "deep", "note.txt").read_bytes()
    b'whole'
    """
    with writing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


@contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Temporary path to write to, renamed to `path` at the end; for streaming writers.

    Raises as :func:`write_atomically`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder, "deep", "note.txt")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "deep", "note.txt").read_text()
    'whole'
    """
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            _wait_for_disk(temporary)
        os.replace(temporary, path)
        if durable:
            _wait_for_disk(path.parent)
    except RuntimeError as error:
        if full := of_a_full_disk(error):
            raise cannot_write(path, full) from error
        raise
    except OSError as error:
        if error.filename not in (None, *map(str, (temporary, path, *path.parents))):
            raise  # from another file that was being read
        raise cannot_write(path, error) from error
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OSError:
    """An error of the same kind whose message gives the file, the reason and the remedy."""
    reason = error.strerror or " ".join(str(error).split())
    return OSError(
        error.errno,
        f"{path} {CANNOT_WRITE} ({reason}); make room, or choose another folder, and start "
        "again: finished work is kept",
    )


def of_a_full_disk(error: Exception) -> OSError | None:
    """The OSError of a full disk or quota behind an error of any library, if that is its cause.

    HDF5 has the number in its text: "errno = 28, error message = 'No space left on device'". Others
    raise an error of their own while handling the disk's.

    Examples
    --------
    >>> of_a_full_disk(RuntimeError("unable to close file, errno = 28, error message = ..."))
    OSError(28, 'No space left on device')
    >>> of_a_full_disk(RuntimeError("out of memory"))
    """
    each: BaseException | None = error
    while each is not None:
        number = each.errno if isinstance(each, OSError) else None
        found = _ERRNO.search(str(each))
        if number not in FULL and found:
            number = int(found[1])
        if number in FULL:
            return OSError(number, os.strerror(number))
        each = each.__cause__ or each.__context__
    return None


def temporary_path(path: Path) -> Path:
    """Temporary path of this process for `path`: in the same folder, hidden.

    Examples
    --------
    >>> temporary_path(Path("out", "scene.npy")).name == f".scene.npy.{os.getpid()}.tmp"
    True
    >>> len(temporary_path(Path("out", 255 * "a")).name) <= LONGEST_NAME
    True
    """
    ending = f".{os.getpid()}.tmp"
    name = os.fsencode(path.name)
    if 1 + len(name) + len(ending) > LONGEST_NAME:
        return path.with_name(f".{hashlib.sha256(name).hexdigest()[:32]}{ending}")
    return path.with_name(f".{path.name}{ending}")


def blake2b_of(path: Path, stop: Event | None = None) -> str:
    """BLAKE2b of a file's content, as printed by ``b2sum -l 256``; OSError if it cannot be read.

    `stop` ends it early, with a meaningless result. (SHA-256 takes two thirds longer on processors
    without instructions for it: as long as all other processing of a WAV file.)

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("a")
    ...     blake2b_of(Path(folder, "a.txt"))[:16]
    '8928aae63c84d87e'
    """
    digest = hashlib.blake2b(digest_size=32)
    block = memoryview(bytearray(2**18))
    with path.open("rb", buffering=0) as file:
        while (n_read := file.readinto(block)) and not (stop and stop.is_set()):
            digest.update(block[:n_read])
    return digest.hexdigest()


def is_leftover(path: Path) -> bool:
    """Whether a name is that of a temporary file left by a killed process."""
    return _LEFTOVER.fullmatch(path.name) is not None


def sweep(folder: Path, *, deep: bool = False) -> None:
    """Remove temporary files of killed processes from `folder`, and from its subfolders if `deep`.

    Requires exclusive access to the folder (:func:`hear_brainsoundnet.lock.locked`): other writers'
    temporary files look the same.
    """
    found = folder.rglob(".*.tmp") if deep else folder.glob(".*.tmp")
    for path in [path for path in found if is_leftover(path)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _wait_for_disk(path: Path) -> None:
    """Return when a file, or the entries of a folder, would survive a power cut."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):  # folders on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not supported by every file system
            raise
    finally:
        os.close(descriptor)


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    r"""A CSV table with a header, UTF-8, one row per line.

    Cells with commas, quotes or any line breaks are quoted. Bytes of a file name that are not UTF-8
    are written as ``\xNN``. None is an empty cell.

    Examples
    --------
    >>> csv_table(["path", "n"], [["a,b.wav", 2], ["new\rline.wav", None]])
    b'path,n\n"a,b.wav",2\n"new\rline.wav",\n'
    """
    lines = [",".join(map(_cell, row)) + "\n" for row in (header, *rows)]
    text = "".join(lines).encode("utf-8", "surrogateescape")
    return text.decode("utf-8", "backslashreplace").encode()


def path_cell(path: str) -> str:
    """A relative path that no spreadsheet interprets as a formula; it still names the same file.

    Examples
    --------
    >>> path_cell("a.wav"), path_cell("=1+1.wav")
    ('a.wav', './=1+1.wav')
    """
    return f"./{path}" if path.startswith(FORMULA) else path


def text_cell(text: str) -> str:
    """Text that no spreadsheet interprets as a formula: such cells are prefixed by an apostrophe.

    Examples
    --------
    >>> text_cell("-left hemisphere")
    "'-left hemisphere"
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
