"""Verification of the files of a prepared dataset by checksums, before reading.

A file is hashed when a process first uses it, and again only if its size, time stamp or inode has
changed: 36 hours of audio take seconds once, opening the dataset takes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hear_brainsoundnet.prediction_files import TARGETS_IMAGES
from training.checksums import checksum_of
from training.data.dataset_info import FileState

AGAIN = "prepare the dataset again: undamaged files are kept"

_hashed: dict[Path, tuple[tuple[int, int, int], FileState]] = {}  # of this process


def state_of(path: Path) -> FileState:
    """Size and checksum of a file, cached while it is unchanged.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    status = path.stat()
    stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
    known = _hashed.get(path)
    if known is None or known[0] != stamp:
        known = stamp, FileState(n_bytes=status.st_size, checksum=checksum_of(path))
        _hashed[path] = known
    return known[1]


def verify(folder: Path, path: Path, files: Mapping[str, FileState]) -> None:
    """Reject a file of a dataset that has changed since it was written.

    Parameters
    ----------
    folder : Path
        Folder of the dataset.
    path : Path
        A file in it.
    files : mapping
        The dataset's files by their path within it.

    Raises
    ------
    FileNotFoundError
        If it is missing.
    ValueError
        If there are none, it is not one of them, or it has another size or checksum.
    """
    if not files:
        raise ValueError(f"{folder} was prepared without checksums, which are needed now; {AGAIN}")
    expected = files.get(path.relative_to(folder).as_posix())
    if expected is None:
        raise ValueError(
            f"{path} is not listed in dataset.json; prepared datasets are combined with "
            "python -m training merge"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; {AGAIN}")
    try:
        n_bytes = path.stat().st_size
        if n_bytes != expected.n_bytes:
            raise ValueError(
                f"{path} is damaged: it has {n_bytes} bytes, {expected.n_bytes} were written; "
                f"{AGAIN}"
            )
        found = state_of(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
    if found != expected:
        raise ValueError(
            f"{path} is damaged: its checksum begins with {found.checksum[:20]}, that of the file "
            f"written with {expected.checksum[:20]}; {AGAIN}"
        )


def files_of(folder: Path) -> dict[str, FileState]:
    """The files of a dataset that have a checksum, by their path within its folder."""
    paths = [*folder.glob("audio/*.npy"), *folder.glob("bold/*.h5")]
    paths += [folder / name for name in TARGETS_IMAGES]
    there = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): state_of(path) for path in there}


def image_in(folder: Path) -> Path | None:
    """The image of target ids in a folder, if there is one."""
    paths = (folder / name for name in TARGETS_IMAGES)
    return next(filter(Path.is_file, paths), None)
