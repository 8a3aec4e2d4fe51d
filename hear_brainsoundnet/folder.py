"""Embed many files into one folder: find them, a few at a time, keep what is done.

Files are read in threads, ahead of the network. What is long is embedded there, file by file; what
is short waits for others of its length (:mod:`hear_brainsoundnet.together`), which a thread of
their own embeds. Results are written where they come together. Whatever fails for one file is the
record of that file; only what would fail for all of them ends the run.
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
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.level import WINDOW_S
from hear_brainsoundnet.lock import one_job_per_folder
from hear_brainsoundnet.progress import Progress
from hear_brainsoundnet.records import Entry, Record, absolute, failed, state_of
from hear_brainsoundnet.results import timestamps_path
from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, find_sound_files
from hear_brainsoundnet.together import CLIPS, ShortClip, embed_together, read_short
from hear_brainsoundnet.windows import Windows, embed_windows

KINDS = ("scene", "timestamps", "both")

logger = logging.getLogger(__name__)

# The name of one result cannot be: too long, characters that the file system does not know, taken.
_NO_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
)

Result = tuple[Entry, Record, Embeddings]


def find_audio(paths: Iterable[str | os.PathLike[str]]) -> list[Entry]:
    """Audio files under `paths`, in a fixed order.

    Folders are searched by :mod:`hear_brainsoundnet.sound_files`, and what is left out there is
    logged as a warning, a line per reason. Files that are given themselves are taken whatever they
    are called. A file is named by its path relative to the folder it was found in, behind the
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
        if not root.is_dir():
            entries.append(Entry(root, root.name))
            continue
        prefix = Path(root.resolve().name) if len(roots) > 1 else Path()
        found = find_sound_files(root)
        for finding in found.findings():
            logger.warning(finding)
        if not found.files:
            suffixes = " ".join(sorted(SOUND_SUFFIXES))
            raise ValueError(f"no audio in folder {root}; files with these suffixes: {suffixes}")
        entries += [
            Entry(path, (prefix / path.relative_to(root)).as_posix()) for path in found.files
        ]
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            raise ValueError(
                f"{other.path} and {entry.path} would both be called {entry.name!r}; embed them "
                "into two folders"
            )
    return entries


def run_settings(
    model: EmbeddingModel, kind: str, device: str, windows: Windows | None = None
) -> dict[str, Any]:
    """What results depend on; written to ``settings.json`` and compared before going on."""
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
        settings["level_window"] = WINDOW_S  # results of the level of whole sounds have none
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
        Remove the results of other settings or files instead of refusing to touch them.
    check : bool
        Compare the content of files with what was read before, not only size and time stamp.
    windows : Windows, optional
        Scenes are of windows: ``scene.npy`` has one row for each, and ``windows.csv`` names them.
    parquet : bool
        Write ``scene.parquet``, too.
    on_file : callable
        Called with each record, those of an earlier run included.

    Returns
    -------
    list of Record
        In the order of `entries`.

    Raises
    ------
    ValueError
        If `out` holds results of other settings or files, or is not a results folder.
    BlockingIOError
        If another job is writing there.
    OSError
        If results cannot be written; what was finished stays.
    """
    out = Path(out)
    settings = run_settings(model, kind, device, windows)
    scene_size = 0 if kind == "timestamps" else model.scene_embedding_size
    progress = Progress(out, settings, scene_size, windows, parquet=parquet)
    progress.start(entries, force=force, check=check)
    for record in progress.records.values():
        on_file(record)
    todo = [entry for entry in entries if entry.name not in progress.records]
    clashes = set() if kind == "scene" else _names_of_folders(entries)

    def read(entry: Entry) -> tuple[Record, Embeddings | ShortClip]:
        if entry.name in clashes:
            reason = f"its result would be called {entry.name}.npz, as a folder of other results is"
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
                f"its result cannot have its name ({os.strerror(error.errno)}): rename the file"
            )
            record, embeddings = failed(entry, reason), Embeddings()
        progress.add(record, None if embeddings.scene is None else embeddings.scene.numpy())
        on_file(progress.records[entry.name])
    return progress.finish(entries)


def _names_of_folders(entries: Sequence[Entry]) -> set[str]:
    """Files whose timestamps would have the name of a folder that those of others are in."""
    folders = {
        parent.as_posix() for entry in entries for parent in PurePosixPath(entry.name).parents
    }
    return {entry.name for entry in entries if f"{entry.name}.npz" in folders}


def _embed_file(
    entry: Entry, model: EmbeddingModel, kind: str, windows: Windows | None = None
) -> tuple[Record, Embeddings | ShortClip]:
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
            raise ValueError(f"{entry.path} has changed while it was read")
    except Exception as error:
        return failed(entry, _reason(error)), Embeddings()
    source = absolute(entry.path)
    return Record(entry.name, "ok", findings, duration, source, state), embeddings


def _embed_with_windows(
    model: EmbeddingModel, sound: AudioFile, kind: str, windows: Windows
) -> Embeddings:
    """Scenes of windows, ``(n_windows, D)``, and timestamps of the whole file."""
    scene = embed_windows(model, sound, windows)
    if kind == "scene":
        return Embeddings(scene)
    sound.rewind()
    whole = model.embed(sound, scene=False)
    return Embeddings(scene, whole.timestamps, whole.timestamps_ms)


def _in_groups(
    files: Iterable[tuple[Entry, tuple[Record, Embeddings | ShortClip]]],
    embed_group: Callable[[Sequence[tuple[Entry, Record, ShortClip]]], list[Result]],
) -> Iterator[Result]:
    """Results of all files; the short ones are embedded in groups of one length."""
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
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_threads(
    read: Callable[[Entry], tuple[Record, Embeddings | ShortClip]],
    entries: Iterable[Entry],
    jobs: int,
) -> Iterator[tuple[Entry, tuple[Record, Embeddings | ShortClip]]]:
    """What comes of the files, as it comes, never more than a few files ahead of what was taken."""
    n_threads = max(1, n_cores() // jobs)
    waiting = iter(entries)
    with ThreadPoolExecutor(
        jobs, initializer=torch.set_num_threads, initargs=(n_threads,)
    ) as executor:
        running: dict[Future[tuple[Record, Embeddings | ShortClip]], Entry] = {}
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
    """A failed record for embeddings that are no numbers."""
    for table in (embeddings.scene, embeddings.timestamps):
        if table is not None and not bool(table.isfinite().all()):
            reason = "the embedding is not finite; samples are expected within [-1, 1]"
            return failed(entry, reason), Embeddings()
    return record, embeddings


def _write_timestamps(path: Path, embeddings: Embeddings) -> int:
    """Write the file and return its size; where there are no timestamps, none may stay."""
    if embeddings.timestamps is None or embeddings.timestamps_ms is None:
        with suppress(OSError):  # a name that cannot be has no file
            path.unlink(missing_ok=True)
        return 0
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        embeddings=embeddings.timestamps[0].numpy(),
        timestamps_ms=embeddings.timestamps_ms[0].numpy(),
    )
    # Waiting for the disk takes as long as embedding; damaged files are known by their size, and
    # the end of the run waits once.
    write_atomically(path, buffer.getvalue(), durable=False)
    return buffer.tell()


def _reason(error: Exception) -> str:
    """What is said of a file; of an error that nobody expected, its kind as well."""
    if isinstance(error, ValueError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("hear-brainsoundnet", "torch", "numpy", "soundfile"):
        with suppress(PackageNotFoundError):  # a checkout that is not installed
            versions[package] = version(package)
    return versions
