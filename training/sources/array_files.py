"""Safe reading of array files: ``.npy``, ``.npz``, MATLAB's ``.mat``, and HDF5.

Nothing is unpickled, allocations are bounded by the file size, and all errors of numpy, zipfile and
ast for a damaged header are converted to one kind.

The C libraries behind HDF5 and MATLAB files can crash or hang on damaged ones. A child process
(``array_child.py``) reads such a file first, with limits on time and memory; if it fails, the file
is reported as damaged.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.nifti import MOST_INFLATED, in_words

MAT_MEMORY = 64  # bytes per byte of the file; arrays in MATLAB files rarely compress further
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # in a MATLAB file of version 7.3
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that numpy writes
H5_SUFFIXES = (".h5", ".hdf5")
SECONDS = 60.0  # for any file, and then
BYTES_PER_SECOND = 5e6  # a slow network disk
CHILD = Path(__file__).with_name("array_child.py")


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file.

    Raises
    ------
    ValueError
        If it is damaged or holds objects; the message does not name the file.
    """
    with path.open("rb") as file:
        return _read_array(file, n_bytes=path.stat().st_size)


class NpzFile(Mapping[str, NDArray[Any]]):
    """The arrays of an ``.npz`` file by name, read on demand.

    Raises
    ------
    ValueError
        If it, or the requested array, is damaged or holds objects; the message does not name the
        file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        except Exception as error:  # zipfile raises many types
            raise ValueError(in_words(error)) from error
        self._members = {info.filename.removesuffix(".npy"): info for info in members}

    def __getitem__(self, key: str) -> NDArray[Any]:
        info = self._members[key]
        if info.compress_type not in COMPRESSIONS:
            raise ValueError(f"{key} is compressed in a way that numpy does not write")
        if info.file_size > MOST_INFLATED * info.compress_size + MOST_INFLATED:
            raise ValueError(
                f"{key} declares {info.file_size} bytes, its {info.compress_size} cannot hold them"
            )
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(info) as file:
                array = _read_array(file, info.file_size)
                file.read()  # to its end, where zipfile verifies the checksum
                return array
        except Exception as error:
            raise ValueError(f"{key}: {in_words(error)}") from error

    def __contains__(self, key: object) -> bool:
        return key in self._members  # without reading the array

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def read_mat(path: Path) -> dict[str, NDArray[Any]]:
    """Numeric and text arrays of a MATLAB file up to version 7; cells are flattened lists of text.

    Raises
    ------
    ValueError
        If it is damaged or of version 7.3.
    """
    with path.open("rb") as file:
        start = file.read(512 + len(HDF5_SIGNATURE))
    if HDF5_SIGNATURE in start or start.startswith(b"MATLAB 7.3"):
        raise ValueError(
            f"{path} is a MATLAB file of version 7.3 (HDF5), expected an older version; in MATLAB "
            "save(file, ..., '-v7'), or write the arrays into an .npz file"
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "arrays.npz")
        run_isolated("mat", path, str(out), memory_per_byte=MAT_MEMORY)
        return dict(NpzFile(out))


def _read_array(file: IO[bytes], n_bytes: int) -> NDArray[Any]:
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
    except Exception as error:  # the header is a Python literal and can fail in many ways
        raise ValueError(f"its header cannot be read: {in_words(error)}") from error
    if version not in ((1, 0), (2, 0), (3, 0)) or dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype}, expected numbers or texts, not objects")
    if any(length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > n_bytes:
        raise ValueError(f"it is cut off: its header declares {wanted} bytes, it has {n_bytes}")
    content = file.read(wanted)
    if len(content) < wanted:
        raise ValueError(f"it is cut off after {len(content)} of {wanted} bytes")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


@dataclass(frozen=True)
class H5Table:
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


def list_h5(path: Path) -> list[H5Table]:
    """The datasets of a file, each verified by reading it in another process.

    Raises
    ------
    ValueError
        If the file is damaged, or refers to other files.
    """
    return list(_probed(path, state_of(path)))


@lru_cache(maxsize=1024)
def _probed(path: Path, state: State) -> tuple[H5Table, ...]:
    rows = json.loads(run_isolated("h5", path, str(MOST_INFLATED), memory_per_byte=MOST_INFLATED))
    return tuple(
        H5Table(key, None if shape is None else tuple(shape), dtype) for key, shape, dtype in rows
    )


def read_h5(path: Path, key: str, known: State | None = None) -> NDArray[np.float64]:
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
        list_h5(path)
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[key][()], dtype=np.float64)
    except Exception as error:  # h5py raises many types for damaged files
        raise ValueError(
            f"{path} is damaged or cut off ({in_words(error)}); fetch it again"
        ) from error


def run_isolated(reader: str, path: Path, *arguments: str, memory_per_byte: int) -> str:
    """Output of a reader of the child process about a file.

    Parameters
    ----------
    reader : str
        {"mat", "h5"}.
    path : Path
        The file.
    *arguments : str
        Further arguments of the reader.
    memory_per_byte : int
        Memory allowed per byte of the file, in addition to the base memory of a process.

    Raises
    ------
    ValueError
        If it fails, crashes or takes too long.
    """
    options = [str(CHILD), str(memory_per_byte), reader, str(path.absolute())]
    limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    try:
        done = subprocess.run(
            [sys.executable, "-I", *options, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"{path} is damaged (reading it took more than {limit:.0f} s); fetch it again"
        ) from error
    if done.returncode == 0:
        return done.stdout
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    reason = f"its library ended: {done.returncode}"
    if done.returncode == 1 and lines:
        reason = lines[-1]
    raise ValueError(f"{path} is damaged or cut off ({reason[:300]}); fetch it again")
