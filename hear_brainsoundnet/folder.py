"""Embed many files into one folder: find them, a few at a time, keep what is done.

Files are read in threads, ahead of the network. What is long is embedded there, file by file; what
is short waits for others of its length (:mod:`hear_brainsoundnet.together`), which a thread of
their own embeds. Results are written where they come together.
"""

from __future__ import annotations

import io
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.progress import (
    Entry,
    Progress,
    Record,
    timestamps_path,
)
from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, find_sound_files
from hear_brainsoundnet.together import CLIPS, ShortClip, embed_together, read_short

KINDS = ("scene", "timestamps", "both")

logger = logging.getLogger(__name__)

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


def run_settings(model: EmbeddingModel, kind: str, device: str) -> dict[str, Any]:
    """What results depend on; written to ``settings.json`` and compared before going on."""
    packages = ("hear-brainsoundnet", "torch", "torchaudio", "numpy", "soundfile")
    return {
        "checkpoint": {"name": model.card.name, "hash": model.checkpoint_hash},
        "kind": kind,
        "preset": model.preset,
        "scene": model.scene,
        "timestamps": model.timestamps,
        "level": model.level,
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
        Remove the results of other settings or files instead of refusing to touch them.
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

    def read(entry: Entry) -> tuple[Record, Embeddings | ShortClip]:
        return _embed_file(entry, model, kind)

    def embed_group(group: Sequence[tuple[Entry, Record, ShortClip]]) -> list[Result]:
        clips = [clip for _, _, clip in group]
        found = embed_together(model, clips, scene=kind != "timestamps", timestamps=kind != "scene")
        return [(entry, record, own) for (entry, record, _), own in zip(group, found, strict=True)]

    for entry, record, embeddings in _in_groups(_in_threads(read, todo, jobs), embed_group):
        if embeddings.timestamps is not None and embeddings.timestamps_ms is not None:
            write_atomically(
                timestamps_path(out, entry.name),
                _npz(
                    embeddings=embeddings.timestamps[0].numpy(),
                    timestamps_ms=embeddings.timestamps_ms[0].numpy(),
                ),
            )
        else:  # nothing of an earlier version of the file may stay
            timestamps_path(out, entry.name).unlink(missing_ok=True)
        progress.add(record, None if embeddings.scene is None else embeddings.scene[0].numpy())
        on_file(record)
    return progress.finish(entries)


def _embed_file(
    entry: Entry, model: EmbeddingModel, kind: str
) -> tuple[Record, Embeddings | ShortClip]:
    """Embeddings of a long file; a short one is only read."""
    modified = 0
    embeddings: Embeddings | ShortClip | None
    try:
        modified = entry.path.stat().st_mtime_ns
        with AudioFile(entry.path) as sound:
            embeddings = read_short(model, sound)
            if embeddings is None:
                embeddings = model.embed(
                    sound, scene=kind != "timestamps", timestamps=kind != "scene"
                )
            duration = sound.duration
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        return Record(entry.name, modified, None, "failed", reason), Embeddings()
    return Record(entry.name, modified, duration, "ok"), embeddings


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


def _in_threads(
    read: Callable[[Entry], tuple[Record, Embeddings | ShortClip]],
    entries: Iterable[Entry],
    jobs: int,
) -> Iterator[tuple[Entry, tuple[Record, Embeddings | ShortClip]]]:
    """What comes of the files, as it comes, never more than a few files ahead of what was taken."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    n_threads = max(1, (n_cores or 1) // jobs)
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


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
