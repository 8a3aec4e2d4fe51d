"""HDF5 files of time courses: listing and reading of datasets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import MOST_INFLATED, in_words
from training.sources.isolated import run_isolated

PROBE = Path(__file__).with_name("h5_probe.py")
SUFFIXES = (".h5", ".hdf5")


@dataclass(frozen=True)
class Table:
    """A dataset, or an empty group.

    Attributes
    ----------
    key : str
        With slashes between groups.
    shape : tuple of int or None
        None if it has none.
    dtype : str
        numpy dtype; "other" if not numeric.
    """

    key: str
    shape: tuple[int, ...] | None
    dtype: str


State = tuple[int, int]  # size in bytes and modification time in ns


def state_of(path: Path) -> State:
    """Fingerprint of a file, to detect changes.

    Raises
    ------
    ValueError
        If it is missing.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); fetch it") from error
    return status.st_size, status.st_mtime_ns


def list_tables(path: Path) -> list[Table]:
    """The datasets of a file, each verified by reading it in another process.

    Raises
    ------
    ValueError
        If the file is damaged, or refers to other files.
    """
    return list(_probed(path, state_of(path)))


@lru_cache(maxsize=1024)
def _probed(path: Path, state: State) -> tuple[Table, ...]:
    rows = json.loads(run_isolated(PROBE, path, str(MOST_INFLATED), memory_per_byte=MOST_INFLATED))
    return tuple(
        Table(key, None if shape is None else tuple(shape), dtype) for key, shape, dtype in rows
    )


def read_table(path: Path, key: str, known: State | None = None) -> NDArray[np.float64]:
    """A dataset as float64.

    Parameters
    ----------
    path, key : Path and str
        File and key of the dataset.
    known : State, optional
        Fingerprint of the file when it was listed, perhaps by another process: an unchanged file is
        not verified again.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    import h5py

    if state_of(path) != known:
        list_tables(path)
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[key][()], dtype=np.float64)
    except Exception as error:  # h5py raises many types for damaged files
        raise ValueError(
            f"{path} is damaged or cut off ({in_words(error)}); fetch it again"
        ) from error
