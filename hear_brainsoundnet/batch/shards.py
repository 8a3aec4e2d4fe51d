"""Shards of an embedding command: every n-th file by each of n machines, and their merged results.

Shard 3 of 40 is the third file and every fortieth after it, so that files of one folder, often of
equal length, spread over all shards. The embedding of a file depends on no other, hence the merged
folder has the bytes of one command over all files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from hear_brainsoundnet.batch.journal import Journal
from hear_brainsoundnet.files import temporary_path, write_atomically
from hear_brainsoundnet.lock import contents
from hear_brainsoundnet.results import (
    FILES,
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
from hear_brainsoundnet.sound_files import Entry
from hear_brainsoundnet.windows import Windows

SHARD = "shard"  # key of the settings
VERSIONS = ("versions", "earlier_versions")


@dataclass(frozen=True)
class Shard:
    """Shard `number` of `count`; numbers begin at 1.

    Examples
    --------
    >>> Shard.parse("2/3").of("abcdefgh")
    ['b', 'e', 'h']
    """

    number: int
    count: int

    @staticmethod
    def parse(text: str) -> Shard:
        """The shard written as ``NUMBER/COUNT``; a ValueError if it is not, or out of range."""
        numbers = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not numbers:
            raise ValueError(f"expected NUMBER/COUNT, such as 3/40, got {text!r}")
        shard = Shard(int(numbers[1]), int(numbers[2]))
        if not 1 <= shard.number <= shard.count:
            raise ValueError(f"{text} is out of range: numbers are 1 to {max(1, shard.count)}")
        return shard

    def of(self, items: Sequence[Any]) -> list[Any]:
        """The items of this shard."""
        return list(items[self.number - 1 :: self.count])

    def settings(self, entries: Sequence[Entry]) -> dict[str, Any]:
        """What the settings of its results note of it: `entries` are the files of all shards."""
        names = hashlib.blake2b(digest_size=16)
        for entry in entries:
            names.update(os.fsencode(entry.name) + b"\0")
        checksum = names.hexdigest()
        return {
            "number": self.number,
            "count": self.count,
            "n_files": len(entries),
            "names": checksum,
        }


@dataclass(frozen=True)
class Part:
    """Results of one shard."""

    out: Path
    settings: dict[str, Any]
    shard: Shard
    records: list[Record]
    rows: dict[str, np.ndarray]


def merge_shards(outs: Sequence[Path], out: Path) -> list[Record]:
    """Merge the results of all shards into the new folder `out`; returns its records.

    Raises
    ------
    ValueError
        If one is no finished result of a shard, they differ in settings or files, one is missing
        or repeated, or `out` is not empty.
    OSError
        If results cannot be written; then `out` does not appear.
    """
    if contents(out) or (out.exists() and not out.is_dir()):
        raise ValueError(f"{out} is not empty; give a new folder for the merged results")
    parts = sorted(map(_read, outs), key=lambda part: part.shard.number)
    _check_alike(parts)
    n_files = parts[0].settings[SHARD]["n_files"]
    for part in parts:
        if len(part.records) != len(range(part.shard.number - 1, n_files, part.shard.count)):
            raise _not_whole(part.out)
    rounds = zip_longest(*(part.records for part in parts))
    records = [record for records in rounds for record in records if record is not None]
    rows = {name: own for part in parts for name, own in part.rows.items()}
    settings = _merged_settings(parts)
    windows = Windows(settings["window"], settings["hop"]) if "window" in settings else None
    widths = {own.shape[1] for own in rows.values()}
    size = widths.pop() if widths else 0
    temporary = temporary_path(out)
    try:
        for part in parts:
            _copy_timestamps(part, temporary)
        scenes = Scenes(rows, size, windows) if settings["kind"] != "timestamps" else None
        parquet = all((part.out / PARQUET).exists() for part in parts)
        write_results(temporary, records, scenes, parquet=parquet)
        write_atomically(temporary / SETTINGS, settings_file(settings))
        if hasattr(os, "sync"):
            os.sync()
        if out.exists():
            out.rmdir()
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return records


def _read(out: Path) -> Part:
    settings = read_settings(out)
    if settings is None:
        raise ValueError(f"{out} holds no results of embed (no {SETTINGS})")
    if SHARD not in settings:
        raise ValueError(
            f"{out} holds the results of all files; merge takes those of embed --shard"
        )
    if Journal(out, 0).exists or not (out / FILES).exists():
        raise ValueError(f"{out} is not finished; start its embed command again")
    shard = Shard(settings[SHARD]["number"], settings[SHARD]["count"])
    records, rows = read_results(out)
    for record in records:
        if record.n_rows and rows_crc(rows[record.name]) != record.rows_crc:
            raise _not_whole(out)
    return Part(out, settings, shard, records, rows)


def _not_whole(out: Path) -> ValueError:
    return ValueError(f"{out} is damaged; start its embed command again")


def _check_alike(parts: Sequence[Part]) -> None:
    """See that these are the shards of one command, each once."""
    first = parts[0]
    for other in parts[1:]:
        for key in sorted({*first.settings, *other.settings} - {SHARD, *VERSIONS}):
            if first.settings.get(key) != other.settings.get(key):
                raise ValueError(
                    f"{first.out} and {other.out} have other settings: {key} is "
                    f"{first.settings.get(key)!r} and {other.settings.get(key)!r}"
                )
        if first.shard.count != other.shard.count:
            raise ValueError(
                f"{first.out} is one of {first.shard.count} shards, {other.out} one of "
                f"{other.shard.count}"
            )
        if first.settings[SHARD]["names"] != other.settings[SHARD]["names"]:
            raise ValueError(f"{first.out} and {other.out} are shards of different lists of files")
    for part, following in pairwise(parts):
        if part.shard == following.shard:
            number = part.shard.number
            raise ValueError(f"{part.out} and {following.out} are the same shard, {number}")
    given = {part.shard.number for part in parts}
    missing = [number for number in range(1, first.shard.count + 1) if number not in given]
    if missing:
        some = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise ValueError(f"of {first.shard.count} shards these are missing: {some}")


def _merged_settings(parts: Sequence[Part]) -> dict[str, Any]:
    """Settings as of one command; versions that differ from the first's count as earlier ones."""
    settings = {key: value for key, value in parts[0].settings.items() if key != SHARD}
    earlier: list[dict[str, str]] = []
    for part in parts:
        for versions in (part.settings["versions"], *part.settings.get("earlier_versions", ())):
            if versions != settings["versions"] and versions not in earlier:
                earlier.append(versions)
    return {**settings, "earlier_versions": earlier} if earlier else settings


def _copy_timestamps(part: Part, out: Path) -> None:
    for record in part.records:
        if record.frames_bytes:
            source, target = (timestamps_path(each, record.name) for each in (part.out, out))
            if not source.exists() or source.stat().st_size != record.frames_bytes:
                raise _not_whole(part.out)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
