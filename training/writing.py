"""Files that appear under their name only when they are whole, whatever writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFTOVERS = ".*.tmp"  # what a killed process leaves beside the names that it was writing


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` at the end; folders are made as needed.

    For what streams to disk; what is in memory goes through
    :func:`hear_brainsoundnet.files.write_atomically`.

    Raises
    ------
    OSError
        If it cannot be written: the disk is full, or the folder may not be written to. What was
        under that name stays.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder, "deep", "note.txt")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "deep", "note.txt").read_text()
    'whole'
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise OSError(
            error.errno,
            f"{path} cannot be written ({reason}); make room, or choose another folder, and start "
            "again: what is done is kept",
        ) from error
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written in `folder`."""
    for leftover in folder.glob(LEFTOVERS):
        leftover.unlink(missing_ok=True)
