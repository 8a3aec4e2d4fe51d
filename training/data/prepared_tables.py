"""Tables of runs in the HDF5 files of a prepared dataset, robust to damaged files.

HDF5 can hang or crash on a damaged file, inside its C code, where no exception is raised and Ctrl-C
has to wait. Files with a known checksum are verified before HDF5 opens them. Those without one, as
an interrupted preparation leaves them, are first read to their end in a separate process
(:func:`probe`), which can crash or be stopped without harm.

This file also runs as that process, hence it imports nothing of this project.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN_ATTRIBUTES = ("stimulus", "session", "episode", "season", "start", "tr")  # of the h5 datasets
EXTRAS = ("fingerprint", "findings")  # optional attributes about the source of a run

# Time limit for reading a file: sufficient for the slowest disks and a start of Python.
SECONDS = 30.0
BYTES_PER_SECOND = 1e6


@dataclass(frozen=True)
class Table:
    """One run in a file, without its data.

    Attributes
    ----------
    name : str
        Name of the run.
    shape : tuple of int
        ``(n_trs, n_targets)``.
    attributes : dict
        Those of :data:`RUN_ATTRIBUTES`: words, and floats for `start` and `tr`.
    extras : dict of str
        Those of :data:`EXTRAS` that exist.
    """

    name: str
    shape: tuple[int, int]
    attributes: dict[str, Any]
    extras: dict[str, str]


@dataclass(frozen=True)
class Place:
    """Offset in bytes and shape of the data of a run, one row after the other."""

    offset: int
    shape: tuple[int, int]


def read_tables(path: Path) -> list[Table]:
    """The tables in a file, in the order written.

    Raises
    ------
    ValueError
        If it cannot be read, or holds something other than tables of float32 that lie in it.
    """
    import h5py

    try:
        with h5py.File(path, "r", track_order=True) as file:
            return [_described(file, name) for name in file]
    except Exception as error:  # h5py raises many kinds for damaged files
        raise ValueError(one_line(error)) from error


def read_table(path: Path, name: str) -> NDArray[np.float32]:
    """The data of a run.

    Raises
    ------
    ValueError
        If they cannot be read.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _described(file, name)
            return np.asarray(file[name][()], dtype=np.float32)
    except Exception as error:
        raise ValueError(one_line(error)) from error


def place_of(path: Path, name: str) -> Place | None:
    """Where the data of a run lie in a file; None if HDF5 stores them in pieces.

    Raises
    ------
    ValueError
        If the run cannot be read.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            shape = _described(file, name).shape
            offset = file[name].id.get_offset()
    except Exception as error:
        raise ValueError(one_line(error)) from error
    return None if offset is None else Place(offset, shape)


def probe(paths: Sequence[Path]) -> dict[Path, str]:
    """Read files to their end in another process; returns the error of each unreadable one.

    Ctrl-C and a generous time limit end it at once.
    """
    waiting = list(paths)
    faults: dict[Path, str] = {}
    while waiting:
        n_bytes = sum(path.stat().st_size for path in waiting)
        command = [sys.executable, "-P", __file__, *map(str, waiting)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            output, _ = process.communicate(timeout=SECONDS + n_bytes / BYTES_PER_SECOND)
            ending = f"HDF5 crashed on it ({_name_of_signal(process.returncode)})"
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            ending = "HDF5 does not finish reading it"
        except BaseException:
            process.kill()
            process.wait()
            raise
        results = [json.loads(line) for line in output.splitlines()]
        faults |= {path: text for path, text in zip(waiting, results, strict=False) if text}
        if len(results) < len(waiting):  # it ended in the middle of a file
            faults[waiting[len(results)]] = ending
        waiting = waiting[len(results) + 1 :]
    return faults


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks, or its type."""
    return " ".join(str(error).split()) or type(error).__name__


def _described(file: Any, name: str) -> Table:
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"run {name} lies in another file")
    table = file[name]
    if not isinstance(table, h5py.Dataset) or table.dtype != np.float32 or table.ndim != 2:
        raise ValueError(f"{name} is not a table of float32")
    if table.id.get_storage_size() != table.nbytes or table.is_virtual or table.external:
        raise ValueError(f"run {name} of shape {table.shape} does not lie in the file as a whole")
    attributes: dict[str, Any] = {}
    for key in RUN_ATTRIBUTES:
        value = table.attrs[key]
        attributes[key] = float(value) if key in ("start", "tr") else _word(value)
    extras = {key: _word(table.attrs[key]) for key in EXTRAS if key in table.attrs}
    return Table(name, table.shape, attributes, extras)


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"an attribute is {type(value).__name__}, expected a word")
    return value


def _name_of_signal(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"exit status {status}"


def _main(paths: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # HDF5 does not return to Python's own handler
    for path in paths:
        fault = ""
        try:
            for table in read_tables(Path(path)):
                read_table(Path(path), table.name)
        except ValueError as error:
            fault = str(error)
        print(json.dumps(fault), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
