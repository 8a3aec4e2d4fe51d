"""The state of an embedding run on disk: what is finished, and how it becomes the results.

While a run lasts, each finished file is a line in ``OUT/.progress/records.jsonl`` (and its scene
embedding a row of ``scene.f32`` beside it). At the end the rows are put into the order of the
files, the results appear under their final names, and ``.progress`` goes. Every file is written
beside its name first and then renamed, so that what is there is whole.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hear_brainsoundnet.files import write_atomically


@dataclass(frozen=True)
class Entry:
    """One file to embed: where it is, and what it is called in the results."""

    path: Path
    name: str


@dataclass(frozen=True)
class Record:
    """What became of one file. `modified` is its time stamp in nanoseconds when it was read."""

    name: str
    modified: int
    duration_s: float | None
    status: str
    error: str = ""


def timestamps_path(out: Path, name: str) -> Path:
    """Where the timestamp embeddings of the file called `name` are."""
    return out / "timestamps" / f"{name}.npz"


class Progress:
    """The state of a run on disk."""

    def __init__(self, out: Path, settings: dict[str, Any], scene_size: int) -> None:
        self.out = out
        self.settings = settings
        self.scene_size = scene_size
        self.folder = out / ".progress"
        self.records: dict[str, Record] = {}
        self.rows: dict[str, np.ndarray] = {}

    def start(self, entries: Sequence[Entry], *, force: bool) -> None:
        """Open the folder and take over what an earlier run finished.

        Raises
        ------
        ValueError
            If the folder holds results of other settings or files, and `force` is false, or
            things that are no results.
        """
        settings_path = self.out / "settings.json"
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{self.out} is a file; give a folder for the results")
        if settings_path.exists():
            stranger = self._find_stranger(settings_path, entries)
            if stranger and not force:
                raise ValueError(
                    f"{self.out} holds results of other {stranger}; use --force to overwrite "
                    "them, or another folder"
                )
            if stranger:
                self._clear()
        elif self.out.exists() and any(self.out.iterdir()):
            raise ValueError(
                f"{self.out} is not empty and holds no results of this command; use another folder"
            )
        write_atomically(settings_path, (json.dumps(self.settings, indent=2) + "\n").encode())
        if not self.folder.exists():
            self._begin_journal()
        self._take_over(entries)

    def add(self, record: Record, row: np.ndarray | None) -> None:
        """Note a finished file; its row first, so that a record always has its row."""
        if self.scene_size and row is not None:
            with (self.folder / "scene.f32").open("ab") as file:
                file.write(row.astype("<f4").tobytes())
            self.rows[record.name] = row
        with (self.folder / "records.jsonl").open("a") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self.records[record.name] = record

    def finish(self, entries: Sequence[Entry]) -> list[Record]:
        """Write the results under their final names."""
        records = [self.records[entry.name] for entry in entries]
        if self.scene_size:
            missing = np.full(self.scene_size, np.nan, dtype=np.float32)
            scene = np.stack([self.rows.get(record.name, missing) for record in records])
            buffer = io.BytesIO()
            np.save(buffer, scene)
            write_atomically(self.out / "scene.npy", buffer.getvalue())
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["path", "duration_s", "status", "error"])
        for record in records:
            duration = "" if record.duration_s is None else f"{record.duration_s:.6f}"
            writer.writerow([record.name, duration, record.status, record.error])
        write_atomically(self.out / "files.csv", table.getvalue().encode())
        shutil.rmtree(self.folder)
        return records

    def _find_stranger(self, settings_path: Path, entries: Sequence[Entry]) -> str:
        """What the results in the folder differ in, in words; "" if they can be gone on with."""
        if json.loads(settings_path.read_text()) != self.settings:
            return f"settings (see {settings_path})"
        known = [record.name for record, _ in self._journal() or self._results()]
        gone = sorted(set(known) - {entry.name for entry in entries})
        return f"files (such as {gone[0]})" if gone else ""

    def _take_over(self, entries: Sequence[Entry]) -> None:
        """Keep earlier results of files that are unchanged since; failed files are tried again."""
        known = {record.name: (record, row) for record, row in self._journal()}
        for entry in entries:
            record, row = known.get(entry.name, (None, None))
            if record is None or record.status != "ok" or not entry.path.exists():
                continue
            if entry.path.stat().st_mtime_ns > record.modified:
                continue
            has_frames = timestamps_path(self.out, entry.name).exists()
            if self.settings["kind"] != "scene" and not has_frames:
                continue
            self.records[entry.name] = record
            if row is not None:
                self.rows[entry.name] = row

    def _journal(self) -> list[tuple[Record, np.ndarray | None]]:
        """Records in the order in which they were written, each with its row; mends a torn end.

        The n-th record of a file that could be read belongs to the n-th row, for ever: the journal
        is only appended to, and cut where a line or a row is incomplete.
        """
        path, rows_path = self.folder / "records.jsonl", self.folder / "scene.f32"
        if not path.exists():
            return []
        numbers = np.fromfile(rows_path, "<f4") if rows_path.exists() else np.empty(0, "<f4")
        n_rows = len(numbers) // self.scene_size if self.scene_size else 0
        journal: list[tuple[Record, np.ndarray | None]] = []
        n_bytes = used = 0
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            record, row = Record(**json.loads(line)), None
            if self.scene_size and record.status == "ok":
                if used == n_rows:
                    break
                row = numbers[used * self.scene_size : (used + 1) * self.scene_size]
                used += 1
            journal.append((record, row))
            n_bytes += len(line)
        os.truncate(path, n_bytes)
        if rows_path.exists():
            os.truncate(rows_path, used * self.scene_size * 4)
        return journal

    def _results(self) -> list[tuple[Record, np.ndarray | None]]:
        """What a finished run left, as its journal would have it."""
        path = self.out / "files.csv"
        if not path.exists():
            return []
        modified = path.stat().st_mtime_ns
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
        scene: Sequence[Any] = [None] * len(table)
        if self.scene_size:
            scene = np.load(self.out / "scene.npy", allow_pickle=False)
        return [
            (
                Record(
                    line["path"],
                    modified,
                    float(line["duration_s"]) if line["duration_s"] else None,
                    line["status"],
                    line["error"],
                ),
                row if line["status"] == "ok" else None,
            )
            for line, row in zip(table, scene, strict=True)
        ]

    def _begin_journal(self) -> None:
        """A new journal with the results of a finished run, there at once or not at all."""
        temporary = self.out / f".progress.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        known = self._results()
        lines = "".join(json.dumps(asdict(record)) + "\n" for record, _ in known)
        (temporary / "records.jsonl").write_text(lines)
        if self.scene_size:
            rows = [row.astype("<f4").tobytes() for _, row in known if row is not None]
            (temporary / "scene.f32").write_bytes(b"".join(rows))
        os.replace(temporary, self.folder)

    def _clear(self) -> None:
        for name in ("timestamps", ".progress"):
            shutil.rmtree(self.out / name, ignore_errors=True)
        for name in ("scene.npy", "files.csv", "settings.json"):
            (self.out / name).unlink(missing_ok=True)
