"""Embedding of many files into one folder, several at a time, resumable.

Files are read in threads, ahead of the network. Long files are embedded there, one by one; short
ones wait for others of their length (:mod:`hear_brainsoundnet.together`), which a separate thread
embeds. Results are written in the main thread. A failure of one file goes into the record of that
file; only errors that affect all files end the command.
"""

from __future__ import annotations

import errno
import io
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.batch.progress import Progress
from hear_brainsoundnet.batch.shards import SHARD, Shard
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.level import WINDOW_S
from hear_brainsoundnet.lock import one_job_per_folder
from hear_brainsoundnet.results import (
    Record,
    absolute,
    check_parquet,
    failed,
    state_of,
    timestamps_path,
)
from hear_brainsoundnet.sound_files import Entry
from hear_brainsoundnet.together import CLIPS, ShortClip, embed_together, read_short
from hear_brainsoundnet.windows import Windows, embed_windows

KINDS = ("scene", "timestamps", "both")

logger = logging.getLogger(__name__)

# This file's result name is impossible: too long, characters not supported by the file system,
# taken.
_NO_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
)

Read = tuple[Record, Embeddings | ShortClip]  # of a file; a short clip is still to be embedded
Result = tuple[Entry, Record, Embeddings]


def run_settings(
    model: EmbeddingModel, kind: str, device: str, windows: Windows | None = None
) -> dict[str, Any]:
    """Settings that results depend on; written to ``settings.json`` and compared when resuming."""
    settings = {
        "checkpoint": {"name": model.card.name, "hash": model.checkpoint_hash},
        "kind": kind,
        "preset": model.preset,
        "scene": model.scene,
        "timestamps": model.timestamps,
        "level": model.level,
        "device": device,
        "versions": _versions(),
    }
    if model.level:
        settings["level_window"] = WINDOW_S  # absent in results with levels of whole clips
    if windows is not None:
        settings |= {"window": windows.length, "hop": windows.hop}
    return settings


@one_job_per_folder("out")
def embed_files(
    entries: Sequence[Entry],
    out: str | os.PathLike[str],
    model: EmbeddingModel,
    *,
    kind: str = "both",
    device: str = "cpu",
    jobs: int = 1,
    force: bool = False,
    check: bool = False,
    windows: Windows | None = None,
    parquet: bool = False,
    shard: Shard | None = None,
    on_file: Callable[[Record], None] = lambda record: None,
) -> list[Record]:
    """Embed files into the folder `out`, resuming an earlier command with equal settings.

    Parameters
    ----------
    entries : sequence of Entry
        From :func:`hear_brainsoundnet.sound_files.find_audio`.
    out : path-like
        Gets ``settings.json``, ``files.csv``, ``scene.npy`` (one row per file; NaN for a file that
        could not be read) and ``timestamps/<name>.npz``.
    model : EmbeddingModel
        On `device`, which is recorded in the settings.
    kind : str
        {"scene", "timestamps", "both"}.
    jobs : int
        Number of files read and embedded at the same time.
    force : bool
        Remove results of other settings or files instead of raising.
    check : bool
        Compare file contents with those read before, not only size and time stamp.
    windows : Windows, optional
        Windows to embed as scenes: ``scene.npy`` has one row per window, listed in ``windows.csv``.
    parquet : bool
        Also write ``scene.parquet``.
    shard : Shard, optional
        Embed only the files of this shard of `entries`.
    on_file : callable
        Called with each record, including those of earlier commands.

    Returns
    -------
    list of Record
        In the order of `entries`.

    Raises
    ------
    ValueError
        If `out` holds results of other settings or files, or is not a results folder; or Parquet is
        wanted without pyarrow.
    BlockingIOError
        If another process is writing there.
    OSError
        If results cannot be written; finished results stay.
    """
    out = Path(out)
    if parquet:
        check_parquet()  # before hours of embedding
    settings = run_settings(model, kind, device, windows)
    clashes = set() if kind == "scene" else _names_of_folders(entries)
    if shard is not None:
        settings[SHARD] = shard.settings(entries)
        entries = shard.of(entries)
    scene_size = 0 if kind == "timestamps" else model.scene_embedding_size
    progress = Progress(out, settings, scene_size, windows, parquet=parquet)
    progress.start(entries, force=force, check=check)
    for record in progress.records.values():
        on_file(record)
    todo = [entry for entry in entries if entry.name not in progress.records]

    def read(entry: Entry) -> Read:
        if entry.name in clashes:
            reason = f"its result would be named {entry.name}.npz, as a folder of other results is"
            return failed(entry, reason), Embeddings()
        return _embed_file(entry, model, kind, windows)

    def embed_group(group: Sequence[tuple[Entry, Record, ShortClip]]) -> list[Result]:
        try:
            clips = [clip for _, _, clip in group]
            found = embed_together(
                model, clips, scene=kind != "timestamps", timestamps=kind != "scene"
            )
        except Exception as error:
            if len(group) == 1:
                (entry, _, _) = group[0]
                return [(entry, failed(entry, _reason(error)), Embeddings())]
            return [result for one in group for result in embed_group([one])]
        return [(entry, record, own) for (entry, record, _), own in zip(group, found, strict=True)]

    for entry, record, embeddings in _in_groups(_in_threads(read, todo, jobs), embed_group):
        record, embeddings = _finite(entry, record, embeddings)
        try:
            n_bytes = _write_timestamps(timestamps_path(out, entry.name), embeddings)
            record = replace(record, frames_bytes=n_bytes)
        except OSError as error:
            if error.errno not in _NO_NAME:
                raise
            reason = (
                f"its result cannot have this name ({os.strerror(error.errno)}): rename the file"
            )
            record, embeddings = failed(entry, reason), Embeddings()
        progress.add(record, None if embeddings.scene is None else embeddings.scene.numpy())
        on_file(progress.records[entry.name])
    return progress.finish(entries)


def _names_of_folders(entries: Sequence[Entry]) -> set[str]:
    """Files whose timestamps would have the name of a folder that contains those of others."""
    folders = {
        parent.as_posix() for entry in entries for parent in PurePosixPath(entry.name).parents
    }
    return {entry.name for entry in entries if f"{entry.name}.npz" in folders}


def _embed_file(
    entry: Entry, model: EmbeddingModel, kind: str, windows: Windows | None = None
) -> Read:
    """Embeddings of a long file; a short one is only read."""
    try:
        state = state_of(entry.path)
        with AudioFile(entry.path) as sound:
            if windows is None:
                embeddings = read_short(model, sound) or model.embed(
                    sound, scene=kind != "timestamps", timestamps=kind != "scene"
                )
            else:
                embeddings = _embed_with_windows(model, sound, kind, windows)
            duration = round(sound.duration, 6)
            findings = "; ".join(sound.findings())
        if not state.is_of(entry.path, check=False):
            raise ValueError(f"{entry.path} changed while it was read")
    except Exception as error:
        return failed(entry, _reason(error)), Embeddings()
    source = absolute(entry.path)
    return Record(entry.name, "ok", findings, duration, source, state), embeddings


def _embed_with_windows(
    model: EmbeddingModel, sound: AudioFile, kind: str, windows: Windows
) -> Embeddings:
    """Scene embeddings of windows, ``(n_windows, D)``, and timestamps of the whole file."""
    scene = embed_windows(model, sound, windows)
    if kind == "scene":
        return Embeddings(scene)
    sound.rewind()
    whole = model.embed(sound, scene=False)
    return Embeddings(scene, whole.timestamps, whole.timestamps_ms)


def _in_groups(
    files: Iterable[tuple[Entry, Read]],
    embed_group: Callable[[Sequence[tuple[Entry, Record, ShortClip]]], list[Result]],
) -> Iterator[Result]:
    """Results of all files; short ones are embedded in groups of equal length."""
    waiting: dict[int, list[tuple[Entry, Record, ShortClip]]] = {}
    running: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as executor:
        try:
            for entry, (record, found) in files:
                if isinstance(found, Embeddings):
                    yield entry, record, found
                    continue
                group = waiting.setdefault(found.length, [])
                group.append((entry, record, found))
                if len(group) == CLIPS:
                    running.append(executor.submit(embed_group, waiting.pop(found.length)))
                while len(running) > 1 or (running and running[0].done()):
                    yield from running.popleft().result()
            running += [executor.submit(embed_group, group) for group in waiting.values()]
            while running:
                yield from running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def n_cores() -> int:
    """Number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_threads(
    read: Callable[[Entry], Read],
    entries: Iterable[Entry],
    jobs: int,
) -> Iterator[tuple[Entry, Read]]:
    """Yield results as they complete; at most a few files are in flight."""
    n_threads = max(1, n_cores() // jobs)
    waiting = iter(entries)
    with ThreadPoolExecutor(
        jobs, initializer=torch.set_num_threads, initargs=(n_threads,)
    ) as executor:
        running: dict[Future[Read], Entry] = {}
        try:
            while True:
                for entry in islice(waiting, 2 * jobs - len(running)):
                    running[executor.submit(read, entry)] = entry
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()


def _finite(entry: Entry, record: Record, embeddings: Embeddings) -> tuple[Record, Embeddings]:
    """A failed record if embeddings are not finite."""
    for table in (embeddings.scene, embeddings.timestamps):
        if table is not None and not bool(table.isfinite().all()):
            reason = "the embedding is not finite; samples are expected within [-1, 1]"
            return failed(entry, reason), Embeddings()
    return record, embeddings


def _write_timestamps(path: Path, embeddings: Embeddings) -> int:
    """Write the file and return its size; without timestamps, remove any old file."""
    if embeddings.timestamps is None or embeddings.timestamps_ms is None:
        with suppress(OSError):  # an impossible name has no file
            path.unlink(missing_ok=True)
        return 0
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        embeddings=embeddings.timestamps[0].numpy(),
        timestamps_ms=embeddings.timestamps_ms[0].numpy(),
    )
    # Syncing each file takes as long as embedding; damaged files are detected by their size, and a
    # single sync follows at the end.
    write_atomically(path, buffer.getvalue(), durable=False)
    return buffer.tell()


def _reason(error: Exception) -> str:
    """Message for a failed file; with the error's type if it is unexpected."""
    if isinstance(error, ValueError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("hear-brainsoundnet", "torch", "numpy", "soundfile"):
        with suppress(PackageNotFoundError):  # a checkout that is not installed
            versions[package] = version(package)
    return versions
