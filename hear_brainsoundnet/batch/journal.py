"""On-disk journal of the finished files of an embedding command.

``OUT/.progress/records.jsonl`` has a line for each finished file, and ``scene.f32`` beside it the
scene embeddings of those with status ok, in the same order. Both are append-only, the row first. A
line is valid if it is complete and the rows match its checksum: anything after the last valid line,
as left by a kill or a power cut, is truncated.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hear_brainsoundnet.files import temporary_path
from hear_brainsoundnet.results import Record, read_records, rows_crc

logger = logging.getLogger(__name__)

FOLDER = ".progress"
LINES = "records.jsonl"
ROWS = "scene.f32"


class Journal:
    """The journal of an embedding command into `out`; `scene_size` is 0 if there are no scenes."""

    def __init__(self, out: Path, scene_size: int) -> None:
        self.folder = out / FOLDER
        self.scene_size = scene_size
        self._places: dict[str, tuple[int, int]] = {}  # first row of a file, and the one after
        self._n_rows = 0

    @property
    def exists(self) -> bool:
        return self.folder.exists()

    def begin(self, records: Sequence[Record], rows: Mapping[str, np.ndarray]) -> None:
        """Create a journal that holds `records`, atomically."""
        temporary = temporary_path(self.folder)
        temporary.mkdir(parents=True)
        (temporary / LINES).write_bytes(b"".join(record.line() for record in records))
        self._places, self._n_rows = {}, 0
        with (temporary / ROWS).open("wb") as file:
            for record in records:
                if record.n_rows:
                    file.write(_bytes(rows[record.name]))
                    self._place(record)
        os.replace(temporary, self.folder)

    def add(self, record: Record, rows: np.ndarray | None) -> None:
        """Append a finished file; its rows first, so that a record always has them."""
        if rows is not None:
            with (self.folder / ROWS).open("ab") as file:
                file.write(_bytes(rows))
            self._place(record)
        with (self.folder / LINES).open("ab") as file:
            file.write(record.line())

    def rows(self) -> dict[str, np.ndarray]:
        """Rows of all files by name, memory-mapped."""
        rows = _mapped(self.folder / ROWS)[: self._n_rows * self.scene_size]
        table = rows.reshape(self._n_rows, self.scene_size)
        return {name: table[first:stop] for name, (first, stop) in self._places.items()}

    def _place(self, record: Record) -> None:
        self._places[record.name] = self._n_rows, self._n_rows + record.n_rows
        self._n_rows += record.n_rows

    def read(self) -> tuple[list[Record], dict[str, np.ndarray]]:
        """Records in the order written, and their rows by name; truncates an invalid end.

        For a repeated name the later record counts.
        """
        lines_path, rows_path = self.folder / LINES, self.folder / ROWS
        lines = _content(lines_path).splitlines(keepends=True)
        numbers = _mapped(rows_path)
        self._places, self._n_rows = {}, 0
        found: dict[str, tuple[Record, np.ndarray | None]] = {}
        n_bytes = n_lines = used = 0
        for line, record in zip(lines, read_records(lines), strict=False):
            rows = None
            if record.n_rows:
                size = record.n_rows * self.scene_size
                rows = numbers[used : used + size].reshape(-1, self.scene_size)
                if len(rows) < record.n_rows or rows_crc(rows) != record.rows_crc:
                    break
                used += size
                self._place(record)
            found[record.name] = record, rows
            n_bytes += len(line)
            n_lines += 1
        if n_lines < len(lines):
            logger.warning(
                "%s: %d of %d lines are damaged or of an earlier version; their files are embedded "
                "again",
                lines_path,
                len(lines) - n_lines,
                len(lines),
            )
        for path, size in ((lines_path, n_bytes), (rows_path, 4 * used)):
            path.touch()
            os.truncate(path, size)
        records = [record for record, _ in found.values()]
        return records, {name: rows for name, (_, rows) in found.items() if rows is not None}

    def remove(self) -> None:
        """Rename first, then delete: a partly deleted journal must never be taken for a complete
        one."""
        if self.exists:
            away = temporary_path(self.folder)
            os.replace(self.folder, away)
            shutil.rmtree(away)


def _bytes(rows: np.ndarray) -> bytes:
    return np.ascontiguousarray(rows, dtype="<f4").tobytes()


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _mapped(path: Path) -> np.ndarray:
    """The numbers in a file, memory-mapped; none if it does not exist."""
    n_numbers = path.stat().st_size // 4 if path.exists() else 0
    if n_numbers == 0:
        return np.zeros(0, "<f4")
    return np.asarray(np.memmap(path, "<f4", "r", shape=n_numbers))
