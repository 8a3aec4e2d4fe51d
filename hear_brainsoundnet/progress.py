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
        """Open the folder and take over what an earlier run finished."""
        settings_path = self.out / "settings.json"
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{self.out} is a file; give a folder for the results")
        if settings_path.exists():
            if json.loads(settings_path.read_text()) == self.settings:
                self._take_over(entries)
            elif force:
                self._clear()
            else:
                raise ValueError(
                    f"{self.out} holds results of other settings (see {settings_path}); use "
                    "--force to overwrite them, or another folder"
                )
        elif self.out.exists() and any(self.out.iterdir()):
            raise ValueError(
                f"{self.out} is not empty and holds no results of this command; use another folder"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_journal()
        write_atomically(settings_path, (json.dumps(self.settings, indent=2) + "\n").encode())

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

    def _take_over(self, entries: Sequence[Entry]) -> None:
        """Keep earlier results of files that are unchanged since; failed files are tried again."""
        records, rows = self._read_journal() if self.folder.exists() else self._read_results()
        for entry in entries:
            record = records.get(entry.name)
            if record is None or record.status != "ok" or not entry.path.exists():
                continue
            if entry.path.stat().st_mtime_ns > record.modified:
                continue
            has_frames = timestamps_path(self.out, entry.name).exists()
            if self.settings["kind"] != "scene" and not has_frames:
                continue
            self.records[entry.name] = record
            if self.scene_size:
                self.rows[entry.name] = rows[entry.name]

    def _read_journal(self) -> tuple[dict[str, Record], dict[str, np.ndarray]]:
        path, rows_path = self.folder / "records.jsonl", self.folder / "scene.f32"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        records = [Record(**json.loads(line)) for line in lines if line.endswith("\n")]
        numbers = np.fromfile(rows_path, dtype="<f4") if rows_path.exists() else np.empty(0)
        with_row = [record.name for record in records if record.status == "ok"]
        size = max(1, self.scene_size)
        rows = dict(zip(with_row, _rows(numbers, size), strict=False))
        kept = {
            record.name: record
            for record in records
            if not self.scene_size or record.status != "ok" or record.name in rows
        }
        return kept, rows

    def _read_results(self) -> tuple[dict[str, Record], dict[str, np.ndarray]]:
        path = self.out / "files.csv"
        if not path.exists():
            return {}, {}
        modified = path.stat().st_mtime_ns
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
        records = {
            row["path"]: Record(
                row["path"],
                modified,
                float(row["duration_s"]) if row["duration_s"] else None,
                row["status"],
                row["error"],
            )
            for row in table
        }
        scene = np.load(self.out / "scene.npy") if self.scene_size else []
        return records, dict(zip(records, scene, strict=False))

    def _write_journal(self) -> None:
        kept = list(self.records.values())
        lines = "".join(json.dumps(asdict(record)) + "\n" for record in kept)
        if self.scene_size:
            rows = b"".join(self.rows[record.name].astype("<f4").tobytes() for record in kept)
            write_atomically(self.folder / "scene.f32", rows)
        write_atomically(self.folder / "records.jsonl", lines.encode())

    def _clear(self) -> None:
        for name in ("timestamps", ".progress"):
            shutil.rmtree(self.out / name, ignore_errors=True)
        for name in ("scene.npy", "files.csv", "settings.json"):
            (self.out / name).unlink(missing_ok=True)


def _rows(numbers: np.ndarray, size: int) -> np.ndarray:
    return numbers[: len(numbers) // size * size].reshape(-1, size)
