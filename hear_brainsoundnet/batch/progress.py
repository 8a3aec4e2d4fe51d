"""On-disk state of an embedding command: finished files, and their assembly into results.

Finished files are recorded in a :mod:`.journal`. At the end the rows are put into the order of the
files, the results appear under their final names, and the journal is removed. Every file is written
under a temporary name first and then renamed, so that existing files are complete.
"""

from __future__ import annotations

import csv
import logging
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hear_brainsoundnet.batch.journal import Journal
from hear_brainsoundnet.files import sweep, write_atomically
from hear_brainsoundnet.lock import contents
from hear_brainsoundnet.results import (
    FILES,
    OWN_FILES,
    PARQUET,
    RECORDS,
    SETTINGS,
    Record,
    Scenes,
    absolute,
    read_results,
    read_scene,
    read_settings,
    rows_crc,
    settings_file,
    state_of,
    timestamps_path,
    write_results,
)
from hear_brainsoundnet.sound_files import N_NAMED, Entry, printable, shown
from hear_brainsoundnet.windows import Windows

logger = logging.getLogger(__name__)

NOT_COMPARED = ("versions", "earlier_versions")


class Progress:
    """On-disk state of an embedding command; requires the folder's lock.

    Parameters
    ----------
    out : Path
        The folder.
    settings : dict
        Settings that the results depend on.
    scene_size : int
        Size of a scene embedding; 0 if there are none.
    windows : Windows, optional
        Windows embedded as scenes; by default whole files.
    parquet : bool
        Also write scenes as Parquet. An existing file is kept up to date.
    """

    def __init__(
        self,
        out: Path,
        settings: dict[str, Any],
        scene_size: int,
        windows: Windows | None = None,
        *,
        parquet: bool = False,
    ) -> None:
        self.out = out
        self.settings = settings
        self.scene_size = scene_size
        self.windows = windows
        self.parquet = parquet
        self.journal = Journal(out, scene_size)
        self.records: dict[str, Record] = {}

    def start(self, entries: Sequence[Entry], *, force: bool = False, check: bool = False) -> None:
        """Open the folder and take over finished results of an earlier command.

        Raises
        ------
        ValueError
            If the folder holds results of other settings or files, and `force` is false, or
            anything other than results.
        """
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{self.out} is a file; give a folder for the results")
        before, mismatch = self._settings_before()
        if not mismatch and before is None and contents(self.out):
            raise ValueError(
                f"{self.out} is not empty and holds no results of this command; use another folder"
            )
        sweep(self.out)
        if self.journal.exists:
            sweep(self.out / "timestamps", deep=True)
        records, rows = ([], {}) if mismatch else self._earlier()
        mismatch = mismatch or _other_files(records, entries)
        if mismatch:
            if not force:
                raise ValueError(
                    f"{self.out} holds results of other {mismatch}; use --force to overwrite them, "
                    "or another folder"
                )
            self._clear()
            before, records, rows = None, [], {}
        if before is not None and records:
            self._note_versions(before)
        write_atomically(self.out / SETTINGS, settings_file(self.settings))
        if not self.journal.exists:
            self.journal.begin(records, rows)
        self._take_over(entries, records, check)

    def add(self, record: Record, rows: np.ndarray | None) -> None:
        """Record a finished file, and its scene embeddings ``(n_rows, D)`` if any."""
        if rows is not None:
            record = replace(record, n_rows=len(rows), rows_crc=rows_crc(rows))
        self.journal.add(record, rows)
        self.records[record.name] = record

    def finish(self, entries: Sequence[Entry]) -> list[Record]:
        """Write the results under their final names."""
        records = [self.records[entry.name] for entry in entries]
        scenes = Scenes(self.journal.rows(), self.scene_size, self.windows)
        parquet = self.parquet or (self.out / PARQUET).exists()
        write_results(self.out, records, scenes if self.scene_size else None, parquet=parquet)
        if hasattr(os, "sync"):  # results must be on disk before the journal is removed
            os.sync()
        self.journal.remove()
        return records

    def _settings_before(self) -> tuple[dict[str, Any] | None, str]:
        """The settings in the folder, and a description of the differences; "" if equal."""
        try:
            before = read_settings(self.out)
        except ValueError as error:
            return None, f"settings ({error})"
        if before is None:
            return None, ""
        differences = [
            f"{key} is {_short(before.get(key))} there, {_short(self.settings.get(key))} now"
            for key in sorted({*before, *self.settings} - {*NOT_COMPARED})
            if before.get(key) != self.settings.get(key)
        ]
        return before, f"settings ({'; '.join(differences)})" if differences else ""

    def _note_versions(self, before: Mapping[str, Any]) -> None:
        """Keep results of other package versions; log and record them in the settings."""
        earlier = [each for each in before.get("earlier_versions", ()) if isinstance(each, dict)]
        versions, now = before.get("versions", {}), self.settings["versions"]
        changed = [
            f"{package} {versions[package]} then, {now[package]} now"
            for package in sorted(versions.keys() & now.keys())
            if versions[package] != now[package]
        ]
        if changed:
            logger.warning(
                "%s was begun with other versions (%s): embeddings may differ in their last digits",
                self.out,
                ", ".join(changed),
            )
            if versions not in earlier:
                earlier.append(versions)
        if earlier:
            self.settings = {**self.settings, "earlier_versions": earlier}

    def _earlier(self) -> tuple[list[Record], dict[str, np.ndarray]]:
        """Finished files: from the journal if there is one, else from the results."""
        if self.journal.exists:
            return self.journal.read()
        if (self.out / RECORDS).exists():
            records, rows = read_results(self.out)
        else:
            records, rows = _results_of_first_version(
                self.out, scenes=self.scene_size > 0, frames=self.settings["kind"] != "scene"
            )
        whole = [
            record
            for record in records
            if not record.n_rows or _is_whole(record, rows[record.name], self.scene_size)
        ]
        return whole, rows

    def _take_over(
        self,
        entries: Sequence[Entry],
        records: Sequence[Record],
        check: bool,
    ) -> None:
        """Keep results of unchanged files; failed ones are retried."""
        known = {record.name: record for record in records}
        files = self.out / FILES
        finished_ns = files.stat().st_mtime_ns if files.exists() else 0
        for entry in entries:
            record = known.pop(entry.name, None)
            if record is None or not record.is_ok:
                continue
            if record.file is None and not check:
                record = _with_state(record, entry, finished_ns)
            if record is None or record.file is None:
                continue
            if not record.file.is_of(entry.path, check=check) or not self._has_frames(record):
                continue
            self.records[entry.name] = record
        gone = [record.name for record in known.values() if record.is_ok]
        for name in gone:
            timestamps_path(self.out, name).unlink(missing_ok=True)
        if gone:
            logger.warning(
                "%s: results of missing files are dropped: %s",
                self.out,
                shown([printable(name) for name in gone], N_NAMED),
            )

    def _has_frames(self, record: Record) -> bool:
        """Whether timestamps are complete, if they are requested."""
        if self.settings["kind"] == "scene":
            return True
        path = timestamps_path(self.out, record.name)
        try:
            return path.stat().st_size == record.frames_bytes and zipfile.is_zipfile(path)
        except OSError:
            return False

    def _clear(self) -> None:
        """Remove all results; the settings last, since they describe all that remains."""
        self.journal.remove()
        shutil.rmtree(self.out / "timestamps", ignore_errors=True)
        for name in (*(name for name in OWN_FILES if name != SETTINGS), SETTINGS):
            (self.out / name).unlink(missing_ok=True)


def _other_files(records: Sequence[Record], entries: Sequence[Entry]) -> str:
    """Description of existing result files that are not requested; "" if there are none.

    If none of them is requested, all count: results of one folder are not replaced by those of
    another because the first is missing.
    """
    names = {entry.name for entry in entries}
    earlier = [record for record in records if record.is_ok]
    others = [record for record in earlier if record.name not in names]
    if len(others) < len(earlier):
        others = [r for r in others if not r.source or os.path.exists(r.source)]
    return f"files (such as {printable(others[0].name)})" if others else ""


def _is_whole(record: Record, rows: np.ndarray, scene_size: int) -> bool:
    return rows.shape == (record.n_rows, scene_size) and rows_crc(rows) == record.rows_crc


def _results_of_first_version(
    out: Path, *, scenes: bool, frames: bool
) -> tuple[list[Record], dict[str, np.ndarray]]:
    """Finished results of version 0.1.0, whose only record of the files is ``files.csv``."""
    try:
        with (out / FILES).open(newline="") as file:
            table = list(csv.DictReader(file))
        scene = read_scene(out) if scenes else None
        if scenes and (scene is None or len(scene) != len(table)):
            return [], {}
        records, rows = [], {}
        for i, line in enumerate(table):
            duration = float(line["duration_s"]) if line["duration_s"] else None
            record = Record(line["path"], line["status"], line["error"], duration)
            if not record.is_ok:
                continue
            if scene is not None:
                rows[record.name] = scene[i : i + 1]
                record = replace(record, n_rows=1, rows_crc=rows_crc(scene[i]))
            if frames and (path := timestamps_path(out, record.name)).exists():
                record = replace(record, frames_bytes=path.stat().st_size)
            records.append(record)
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return [], {}
    return records, rows


def _with_state(record: Record, entry: Entry, finished_ns: int) -> Record | None:
    """A record of version 0.1.0 with the state of its file, if that is older than the results.

    The change time counts, too: a file that replaced another one may have any modification time.
    """
    try:
        state = entry.path.stat()
        if max(state.st_mtime_ns, state.st_ctime_ns) > finished_ns:
            return None
        return replace(record, file=state_of(entry.path), source=absolute(entry.path))
    except OSError:
        return None


def _short(value: object) -> str:
    if isinstance(value, dict) and "hash" in value:  # a checkpoint
        return f"{value.get('name')} [{str(value['hash'])[:12]}]"
    return repr(value)
