"""Embed many files into one folder, resumably.

While it runs, each finished file is a line in ``OUT/.progress/records.jsonl`` (and its scene
embedding a row of ``scene.f32`` beside it); a run that was stopped goes on from there. At the end
the rows are put into the order of the files, the results appear under their final names, and
``.progress`` goes. Every file of the result is written beside its name first and then renamed, so
that what is there is whole.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hear_brainsoundnet.audio import AUDIO_SUFFIXES, AudioFile
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings

KINDS = ("scene", "timestamps", "both")


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


def find_audio(paths: Iterable[str | os.PathLike[str]]) -> list[Entry]:
    """Audio files under `paths`, in a fixed order.

    Folders are searched recursively for the usual suffixes; files are taken whatever they are
    called. A file is named by its path relative to the folder it was found in, behind the
    folder's own name where several paths are given.

    Raises
    ------
    FileNotFoundError
        If a path does not exist.
    ValueError
        If a folder contains no audio, or two files would have the same name.
    """
    roots = [Path(path) for path in paths]
    entries = []
    for root in roots:
        if not root.exists():
            raise FileNotFoundError(f"no such file or folder: {root}")
        if root.is_file():
            entries.append(Entry(root, root.name))
            continue
        prefix = Path(root.resolve().name) if len(roots) > 1 else Path()
        found = sorted(
            path
            for path in root.rglob("*")
            if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
        )
        if not found:
            suffixes = " ".join(sorted(AUDIO_SUFFIXES))
            raise ValueError(f"no audio in folder {root}; files with these suffixes: {suffixes}")
        entries += [Entry(path, (prefix / path.relative_to(root)).as_posix()) for path in found]
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            raise ValueError(
                f"{other.path} and {entry.path} would both be called {entry.name!r}; embed them "
                "into two folders"
            )
    return entries


def run_settings(model: EmbeddingModel, kind: str, device: str) -> dict[str, Any]:
    """What results depend on; written to ``settings.json`` and compared before going on."""
    packages = ("hear-brainsoundnet", "torch", "torchaudio", "numpy", "soundfile")
    return {
        "checkpoint": {"name": model.card.name, "hash": model.checkpoint_hash},
        "kind": kind,
        "preset": model.preset,
        "scene": model.scene,
        "timestamps": model.timestamps,
        "device": device,
        "versions": {package: version(package) for package in packages},
    }


def embed_files(
    entries: Sequence[Entry],
    out: str | os.PathLike[str],
    model: EmbeddingModel,
    *,
    kind: str = "both",
    device: str = "cpu",
    jobs: int = 1,
    force: bool = False,
    on_file: Callable[[Record], None] = lambda record: None,
) -> list[Record]:
    """Embed files into the folder `out`; go on where an earlier run with equal settings stopped.

    Parameters
    ----------
    entries : sequence of Entry
        From :func:`find_audio`.
    out : path-like
        Gets ``settings.json``, ``files.csv``, ``scene.npy`` (one row per file; NaN for a file
        that could not be read) and ``timestamps/<name>.npz``.
    model : EmbeddingModel
        On the device that it is to run on.
    kind : str
        {"scene", "timestamps", "both"}.
    device : str
        Where `model` is; noted in the settings.
    jobs : int
        Files that are read and embedded at the same time.
    force : bool
        Remove the results of other settings instead of refusing to touch them.
    on_file : callable
        Called with each record, those of an earlier run included.

    Returns
    -------
    list of Record
        In the order of `entries`.

    Raises
    ------
    ValueError
        If `out` holds results of other settings, or is not a results folder.
    OSError
        If results cannot be written; what was finished stays.
    """
    out = Path(out)
    settings = run_settings(model, kind, device)
    progress = Progress(out, settings, 0 if kind == "timestamps" else model.scene_embedding_size)
    progress.start(entries, force=force)
    for record in progress.records.values():
        on_file(record)
    todo = [entry for entry in entries if entry.name not in progress.records]

    def embed(entry: Entry) -> tuple[Record, Embeddings]:
        return _embed_file(entry, model, kind)

    for entry, (record, embeddings) in _in_threads(embed, todo, jobs):
        if embeddings.timestamps is not None and embeddings.timestamps_ms is not None:
            _write_atomically(
                timestamps_path(out, entry.name),
                _npz(
                    embeddings=embeddings.timestamps[0].numpy(),
                    timestamps_ms=embeddings.timestamps_ms[0].numpy(),
                ),
            )
        progress.add(record, None if embeddings.scene is None else embeddings.scene[0].numpy())
        on_file(record)
    return progress.finish(entries)


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
        _write_atomically(settings_path, (json.dumps(self.settings, indent=2) + "\n").encode())

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
            _write_atomically(self.out / "scene.npy", buffer.getvalue())
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["path", "duration_s", "status", "error"])
        for record in records:
            duration = "" if record.duration_s is None else f"{record.duration_s:.6f}"
            writer.writerow([record.name, duration, record.status, record.error])
        _write_atomically(self.out / "files.csv", table.getvalue().encode())
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
            _write_atomically(self.folder / "scene.f32", rows)
        _write_atomically(self.folder / "records.jsonl", lines.encode())

    def _clear(self) -> None:
        for name in ("timestamps", ".progress"):
            shutil.rmtree(self.out / name, ignore_errors=True)
        for name in ("scene.npy", "files.csv", "settings.json"):
            (self.out / name).unlink(missing_ok=True)


def _rows(numbers: np.ndarray, size: int) -> np.ndarray:
    return numbers[: len(numbers) // size * size].reshape(-1, size)


def _embed_file(entry: Entry, model: EmbeddingModel, kind: str) -> tuple[Record, Embeddings]:
    modified = 0
    try:
        modified = entry.path.stat().st_mtime_ns
        with AudioFile(entry.path) as sound:
            embeddings = model.embed(sound, scene=kind != "timestamps", timestamps=kind != "scene")
            duration = sound.duration
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        return Record(entry.name, modified, None, "failed", reason), Embeddings()
    return Record(entry.name, modified, duration, "ok"), embeddings


def _in_threads(
    embed: Callable[[Entry], tuple[Record, Embeddings]], entries: Iterable[Entry], jobs: int
) -> Iterator[tuple[Entry, tuple[Record, Embeddings]]]:
    """Results as they come, never more than a few files ahead of what was taken."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n_threads = max(1, (n_cores or 1) // jobs)
    waiting = iter(entries)
    with ThreadPoolExecutor(
        jobs, initializer=torch.set_num_threads, initargs=(n_threads,)
    ) as executor:
        running: dict[Future[tuple[Record, Embeddings]], Entry] = {}
        try:
            while True:
                for entry in islice(waiting, 2 * jobs - len(running)):
                    running[executor.submit(embed, entry)] = entry
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
