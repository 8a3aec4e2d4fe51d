"""Results of an embedding command on disk: the outcome of each file, and the scene table."""

from __future__ import annotations

import csv
import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hear_brainsoundnet.files import (
    blake2b_of,
    csv_table,
    path_cell,
    text_cell,
    write_atomically,
    writing,
)
from hear_brainsoundnet.sound_files import Entry
from hear_brainsoundnet.windows import Windows

SETTINGS = "settings.json"
SCENE = "scene.npy"
FILES = "files.csv"
WINDOWS = "windows.csv"
PARQUET = "scene.parquet"
RECORDS = ".records.jsonl"  # state of each file, for resuming
OWN_FILES = (SETTINGS, SCENE, FILES, WINDOWS, PARQUET, RECORDS)


@dataclass(frozen=True)
class FileState:
    """Fingerprint of a file, to detect changes: size, time stamp and BLAKE2b of its content.

    The checksum is that of ``b2sum -l 256``; "" if it is not a regular file.
    """

    n_bytes: int
    modified_ns: int
    checksum: str = ""

    def is_of(self, path: Path, *, check: bool) -> bool:
        """Whether `path` has this size and time stamp, and with `check` this content."""
        try:
            now = state_of(path, checksum=check)
        except OSError:
            return False
        if not check:
            now = replace(now, checksum=self.checksum)
        return now == self


@dataclass(frozen=True)
class Record:
    """Outcome of one file.

    Attributes
    ----------
    name : str
        Name of the file in the results.
    status : str
        {"ok", "failed"}.
    error : str
        Why it failed, or a remark on a readable file, for example that it is silent.
    duration_s : float or None
        Duration of a readable file.
    source : str
        The file's absolute path.
    file : FileState or None
        State of the file when it was read.
    n_rows : int
        Number of scene embeddings: one, or one per window.
    rows_crc, frames_bytes : int
        CRC-32 of the scene embeddings, and size of the file of timestamp embeddings, to detect
        results damaged by a power cut or mixed up.
    """

    name: str
    status: str
    error: str = ""
    duration_s: float | None = None
    source: str = ""
    file: FileState | None = None
    n_rows: int = 0
    rows_crc: int = 0
    frames_bytes: int = 0

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    def line(self) -> bytes:
        """The record as a line of JSON."""
        return (json.dumps(asdict(self)) + "\n").encode()


def failed(entry: Entry, reason: object) -> Record:
    """The record of a file that could not be embedded."""
    return Record(entry.name, "failed", " ".join(str(reason).split()), source=absolute(entry.path))


def absolute(path: Path) -> str:
    return os.path.abspath(path)


def read_records(lines: Iterable[bytes]) -> Iterator[Record]:
    """Records of complete lines, up to the first invalid one."""
    for line in lines:
        if not line.endswith(b"\n"):
            return
        try:
            content = json.loads(line)
            file = content.pop("file")
            yield Record(file=None if file is None else FileState(**file), **content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return


def rows_crc(rows: np.ndarray) -> int:
    """CRC-32 of scene embeddings as stored on disk."""
    return zlib.crc32(np.ascontiguousarray(rows, dtype="<f4").tobytes())


def state_of(path: Path, *, checksum: bool = True) -> FileState:
    """Size, time stamp and checksum of a file.

    Raises
    ------
    OSError
        If it does not exist or cannot be read.
    """
    state = path.stat()
    # A pipe can be read only once.
    digest = blake2b_of(path) if checksum and stat.S_ISREG(state.st_mode) else ""
    return FileState(state.st_size, state.st_mtime_ns, digest)


def timestamps_path(out: Path, name: str) -> Path:
    """Path of the timestamp embeddings of the file `name`."""
    return out / "timestamps" / f"{name}.npz"


@dataclass(frozen=True)
class SceneTable:
    """Scene embeddings and their sources.

    Attributes
    ----------
    names : list of str
        File of each row.
    times : list of (float, float), optional
        Start and end of each row's window in seconds.
    scene : ndarray
        ``(n_rows, D)`` float32; without windows one row per file, NaN if it failed.
    """

    names: list[str]
    times: list[tuple[float, float]] | None
    scene: np.ndarray


@dataclass(frozen=True)
class Scenes:
    """Scene embeddings to write: for each file by name ``(n_rows, size)``, one row or one per
    window.
    """

    rows: Mapping[str, np.ndarray]
    size: int
    windows: Windows | None

    def n_rows(self, record: Record) -> int:
        """Number of rows of a file: one, of NaN, if it failed and there are no windows."""
        if record.is_ok:
            return len(self.rows[record.name])
        return 0 if self.windows else 1

    def write(self, path: Path, records: Sequence[Record]) -> None:
        """Write the rows in the order of the files, the bytes of ``numpy.save``; at no time are all
        in memory."""
        n_rows = sum(map(self.n_rows, records))
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, self.size)}
        missing = np.full((1, self.size), np.nan, dtype="<f4")
        with writing(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for record in records:
                rows = self.rows[record.name] if record.is_ok else missing[: self.n_rows(record)]
                file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())

    def table(self, path: Path, records: Sequence[Record]) -> SceneTable:
        """The table that was written, memory-mapped, with its sources."""
        names = [record.name for record in records for _ in range(self.n_rows(record))]
        times = None
        if self.windows:
            times = [
                time
                for record in records
                if record.is_ok
                for time in self.windows.times(record.n_rows, record.duration_s or 0)
            ]
        return SceneTable(names, times, np.load(path, mmap_mode="r"))


def write_results(
    out: Path, records: Sequence[Record], scenes: Scenes | None, *, parquet: bool
) -> None:
    """Write all files of a finished folder except the settings."""
    if scenes is not None:
        scenes.write(out / SCENE, records)
        if scenes.windows or parquet:
            table = scenes.table(out / SCENE, records)
            if table.times is not None:
                write_atomically(out / WINDOWS, _windows_table(table.names, table.times))
            if parquet:
                _write_parquet(out / PARQUET, table)
    rows = [
        (
            path_cell(record.name),
            None if record.duration_s is None else f"{record.duration_s:.6f}",
            record.status,
            text_cell(record.error),
        )
        for record in records
    ]
    header = ("path", "duration_s", "status", "error")
    write_atomically(out / FILES, csv_table(header, rows))
    write_atomically(out / RECORDS, b"".join(record.line() for record in records))


def read_results(out: Path) -> tuple[list[Record], dict[str, np.ndarray]]:
    """Records of a finished folder, and the scene embeddings of those with status ok by name.

    Empty if the folder is not finished; a file with damaged embeddings is left out.
    """
    try:
        records = list(read_records((out / RECORDS).read_bytes().splitlines(keepends=True)))
    except FileNotFoundError:
        return [], {}
    scene = read_scene(out, mapped=True)
    rows: dict[str, np.ndarray] = {}
    if scene is None:
        return [record for record in records if record.n_rows == 0], rows
    # A file that failed has a row of NaN, unless rows are windows.
    step = 0 if (out / WINDOWS).exists() else 1
    first = 0
    for record in records:
        n_rows = record.n_rows if record.is_ok else step
        rows[record.name] = scene[first : first + n_rows]
        first += n_rows
    return records, rows


def read_scene(out: Path, *, mapped: bool = False) -> np.ndarray | None:
    """``scene.npy``, read or memory-mapped, or None if there is no readable one."""
    try:
        mode: Literal["r"] | None = "r" if mapped else None
        scene: np.ndarray = np.asarray(np.load(out / SCENE, mode, allow_pickle=False))
    except (OSError, EOFError, ValueError):
        return None
    return scene if scene.ndim == 2 else None


def read_settings(out: Path) -> dict[str, Any] | None:
    """``settings.json``, or None if there is none; a ValueError if it is damaged."""
    path = out / SETTINGS
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is damaged")
    return settings


def settings_file(settings: Mapping[str, Any]) -> bytes:
    """Content of ``settings.json``."""
    return (json.dumps(settings, indent=2) + "\n").encode()


def read_scene_table(out: Path) -> SceneTable:
    """Scene embeddings of a finished folder; failed files are left out.

    Raises
    ------
    ValueError
        If there are none, or they do not match the table of files.
    """
    scene = read_scene(out)
    if scene is None:
        raise ValueError(f"{out} holds no scene embeddings; embed with --kind scene or both")
    try:
        if (out / WINDOWS).exists():
            with (out / WINDOWS).open(newline="", encoding="utf-8") as file:
                lines = list(csv.DictReader(file))
            times = [(float(line["start_s"]), float(line["stop_s"])) for line in lines]
        else:
            with (out / FILES).open(newline="", encoding="utf-8") as file:
                lines = list(csv.DictReader(file))
            scene = scene[[line["status"] == "ok" for line in lines]]
            lines = [line for line in lines if line["status"] == "ok"]
            times = None
        names = [line["path"].removeprefix("./") for line in lines]
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{out} is not finished or damaged; run its embed command again"
        ) from error
    if len(names) != len(scene):
        raise ValueError(f"{out} is damaged: {len(names)} names for {len(scene)} rows of {SCENE}")
    return SceneTable(names, times, scene)


def _windows_table(names: Sequence[str], times: Sequence[tuple[float, float]]) -> bytes:
    rows = [
        (path_cell(name), f"{start:.6f}", f"{stop:.6f}")
        for name, (start, stop) in zip(names, times, strict=True)
    ]
    return csv_table(("path", "start_s", "stop_s"), rows)


def check_parquet() -> None:
    """A ValueError if pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ValueError("Parquet output needs pyarrow: pip install pyarrow") from error


def _write_parquet(path: Path, table: SceneTable) -> None:
    import pyarrow
    import pyarrow.parquet

    n_rows, size = table.scene.shape
    values = pyarrow.array(table.scene.reshape(-1))
    encoded = [name.encode("utf-8", "surrogateescape") for name in table.names]
    names = [name.decode("utf-8", "backslashreplace") for name in encoded]
    columns: dict[str, Any] = {"path": pyarrow.array(names, pyarrow.string())}
    if table.times is not None:
        for i, name in enumerate(("start_s", "stop_s")):
            columns[name] = pyarrow.array([time[i] for time in table.times], pyarrow.float64())
    columns["embedding"] = pyarrow.FixedSizeListArray.from_arrays(values, size)
    assert n_rows == len(names)
    with writing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)
