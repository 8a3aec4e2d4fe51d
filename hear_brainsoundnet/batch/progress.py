"""On-disk state of an embedding command: finished files, and their assembly into results.

Finished files are recorded in a :mod:`.journal`. At the end the rows are put into the order of the
files, the results appear under their final names, and the journal is removed. Every file is written
under a temporary name first and then renamed, so that existing files are complete.
"""

from __future__ import annotations

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
    OWN_FILES,
    PARQUET,
    SETTINGS,
    Record,
    Scenes,
    read_results,
    read_settings,
    rows_crc,
    settings_file,
    timestamps_path,
    write_results,
)
from hear_brainsoundnet.sound_files import N_NAMED, Entry, printable, shown
from hear_brainsoundnet.windows import Windows

logger = logging.getLogger(__name__)

NOT_COMPARED = ("versions", "earlier_versions")


class Progress:
    """On-disk state of an embedding command in the folder `out`; requires the folder's lock.

    `settings` are those that the results depend on; scenes of `scene_size` (0: none) are of whole
    files or of `windows`. An existing Parquet file is kept up to date.
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
        records, rows = read_results(self.out)
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
        for entry in entries:
            record = known.pop(entry.name, None)
            if record is None or not record.is_ok or record.file is None:
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
        others = [record for record in others if os.path.exists(record.source)]
    return f"files (such as {printable(others[0].name)})" if others else ""


def _is_whole(record: Record, rows: np.ndarray, scene_size: int) -> bool:
    return rows.shape == (record.n_rows, scene_size) and rows_crc(rows) == record.rows_crc


def _short(value: object) -> str:
    if isinstance(value, dict) and "hash" in value:  # a checkpoint
        return f"{value.get('name')} [{str(value['hash'])[:12]}]"
    return repr(value)
