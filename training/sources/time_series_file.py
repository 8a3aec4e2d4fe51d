"""Reader of one file of time courses, with checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.array_files import NpzFile, read_npy
from training.sources.tables import is_number

ARRAY_SUFFIXES = (".npy", ".npz")
TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".1d", ".dat")


@dataclass(frozen=True)
class TimeSeriesFile:
    """Values ``(n_trs, n_targets)``, and names of the columns if the file has a header."""

    values: NDArray[np.float64]
    names: tuple[str, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether all columns are constant."""
        return bool(np.all((self.values == self.values[:1]) | np.isnan(self.values)))


def read_time_series(path: Path, key: str = "X") -> TimeSeriesFile:
    """Read time courses.

    Parameters
    ----------
    path : Path
        ``.npy``; ``.npz`` with an array under `key`; or text with one row per TR, separated by
        commas, semicolons, tabs or blanks, with or without a header.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, is not ``(n_trs, n_targets)``, or a column has NaN or infinity in some
        rows (a column of only NaN is a missing target).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "courses.csv")
    ...     _ = path.write_text("left,right\\n1.5,2\\n3,4\\n")
    ...     read_time_series(path)
    TimeSeriesFile(values=array([[1.5, 2. ],
           [3. , 4. ]]), names=('left', 'right'))
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file of time courses: {path}")
    suffix = path.suffix.lower()
    names: tuple[str, ...] = ()
    if suffix in ARRAY_SUFFIXES:
        values = _read_array(path, key)
    elif suffix in TEXT_SUFFIXES:
        values, names = _read_text(path)
    else:
        raise ValueError(
            f"{path} ends in {path.suffix!r}, expected one of "
            f"{', '.join((*ARRAY_SUFFIXES, *TEXT_SUFFIXES))}"
        )
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} holds {values.dtype} of shape {values.shape}, expected numbers of shape "
            "(n_trs, n_targets)"
        )
    values = values.astype(np.float64)
    finite = np.isfinite(values).all(axis=0)
    broken = np.flatnonzero(~finite & ~np.isnan(values).all(axis=0))
    if len(broken):
        raise ValueError(
            f"{path}: column {broken[0] + 1} has NaN or infinity in some TRs; fill them, or make "
            "the whole column NaN where the target is missing"
        )
    return TimeSeriesFile(values, names)


def _read_array(path: Path, key: str) -> NDArray[Any]:
    try:
        if path.suffix.lower() == ".npy":
            return read_npy(path)
        arrays = NpzFile(path)
        if key in arrays:
            return arrays[key]
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as arrays of numbers ({error})") from error
    keys = ", ".join(arrays) or "nothing"
    raise ValueError(f"{path} has no array {key!r}; it has {keys}: set key to one of these")


def _read_text(path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text ({error})") from error
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    delimiter = next((mark for mark in ",;\t" if lines and mark in lines[0]), None)
    rows = [[cell.strip() for cell in line.strip().split(delimiter)] for line in lines]
    names: tuple[str, ...] = ()
    if rows and not any(is_number(cell) for cell in rows[0]):
        names = tuple(rows.pop(0))
    width = len(names) or (len(rows[0]) if rows else 0)
    values = np.empty((len(rows), width))
    for i, row in enumerate(rows):
        if len(row) != width or not all(map(is_number, row)):
            raise ValueError(
                f"{path}: row {i + 1} is not {width} numbers but {' '.join(row)[:60]!r}; expected "
                "one row per TR and one column per target"
            )
        values[i] = [float(cell) for cell in row]
    return values, names
