"""Outcome of each file of an embedding command, as JSON lines."""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hear_brainsoundnet.files import blake2b_of


@dataclass(frozen=True)
class Entry:
    """A file to embed: its path, and its name in the results."""

    path: Path
    name: str


@dataclass(frozen=True)
class FileState:
    """Fingerprint of a file, to detect changes.

    Attributes
    ----------
    n_bytes, modified_ns : int
        Its size and time stamp.
    checksum : str
        BLAKE2b of its content, as printed by ``b2sum -l 256``; "" if it is not a regular file.
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
