"""A run's confounds table, read and checked before any regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.tables import MOST_BYTES

DISPLACEMENT = "framewise_displacement"
# Names of motion and tissue signals in fMRIPrep 1.0 and 1.1.
OLD_COLUMNS = {"X", "Y", "Z", "RotX", "RotY", "RotZ", "CSF", "WhiteMatter", "GlobalSignal"}


def column_names(table: Path) -> list[str]:
    """Column names in the first line of a confounds table."""
    try:
        with table.open(encoding="utf-8-sig") as file:
            return file.readline(MOST_BYTES).rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{table} is not readable as text ({error})") from error


def check_columns(table: Path, columns: Sequence[str], n_trs: int) -> None:
    """Check all values of some columns.

    A missing first value, as in every derivative, is allowed: it is replaced by the second one.

    Raises
    ------
    ValueError
        If there is not one row for each TR, or a value is missing, infinite or not a number; the
        message names the columns.
    """
    values = _read(table)
    if len(values) != n_trs:
        raise ValueError(
            f"{table} has {len(values)} rows for the {n_trs} TRs of its image; one of them is cut "
            "off: fetch both again"
        )
    text, missing = [], []
    for column in columns:
        if values[column].dtype.kind not in "fiub":
            text.append(column)
            continue
        numbers = values[column].to_numpy(dtype=np.float64)
        if np.isnan(numbers[0]) and n_trs > 1:
            numbers = numbers[1:]
        if not np.isfinite(numbers).all():
            missing.append(column)
    if text:
        raise ValueError(f"{table} holds text among the numbers of {', '.join(text)}; repair it")
    if missing:
        raise ValueError(
            f"{table}: values are missing in {', '.join(missing)}; repair them, or name other "
            "components in confounds.strategy"
        )


def framewise_displacement(table: Path) -> NDArray[np.float64]:
    """Framewise displacement in mm, ``(n_trs,)``; 0 at the first TR."""
    column = _read(table).get(DISPLACEMENT)
    if column is None or column.dtype.kind not in "fiub":
        raise ValueError(f"{table}: {DISPLACEMENT} cannot be read as numbers")
    displacement = column.to_numpy(dtype=np.float64, copy=True)
    displacement[:1] = np.nan_to_num(displacement[:1])
    return np.asarray(displacement, dtype=np.float64)


def _read(table: Path) -> Any:
    """Read with the same options as nilearn, so that the checked values are those used."""
    import pandas

    try:
        if table.stat().st_size > MOST_BYTES:
            raise ValueError(f"{table.stat().st_size} bytes, a table has at most {MOST_BYTES}")
        return pandas.read_csv(table, sep="\t", encoding="utf-8", low_memory=False)
    except Exception as error:  # pandas raises many types
        raise ValueError(
            f"{table} cannot be read as a table ({' '.join(str(error).split())})"
        ) from error
