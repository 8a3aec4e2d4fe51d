"""Atomic writing of a task folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

METADATA, VOCABULARY, README = "task_metadata.json", "labelvocabulary.csv", "README.md"
SAMPLE_RATE = 44_100  # Hz; the same for all tasks of `benchmarks.hear`, so that a model runs on all


@contextmanager
def new_task_folder(tasks_folder: Path, name: str) -> Iterator[Path]:
    """A temporary folder, renamed to the task's at the end, or removed on errors."""
    temporary = tasks_folder / f".{name}.{os.getpid()}.tmp"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.replace(temporary, tasks_folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_descriptions(
    folder: Path, name: str, settings: Mapping[str, Any], labels: Iterable[str], readme: str
) -> None:
    """Metadata, vocabulary and README.

    Parameters
    ----------
    folder : Path
    name : str
        ``<task>-<version>-<mode>``.
    settings : mapping
        Content of ``task_metadata.json`` except name, version and mode.
    labels : iterable of str
        Labels without duplicates; sorted by name.
    readme : str
    """
    task_name, version, mode = name.rsplit("-", 2)
    metadata = {"task_name": task_name, "version": version, "mode": mode, **settings}
    write_json(folder / METADATA, metadata)
    rows = [f"{index},{label}" for index, label in enumerate(sorted(set(labels)))]
    (folder / VOCABULARY).write_text("\n".join(["idx,label", *rows]) + "\n", encoding="utf-8")
    (folder / README).write_text(readme, encoding="utf-8")


def write_json(path: Path, document: object) -> None:
    """Strict JSON."""
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_clip(path: Path, audio: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> None:
    """16 bits, ``(n_samples,)`` in [-1, 1]."""
    soundfile.write(path, audio, sample_rate, subtype="PCM_16")


def read_mono(path: Path) -> tuple[NDArray[np.float64], int]:
    """Samples ``(n_samples,)`` and their rate in Hz.

    Raises
    ------
    ValueError
        If the file is not audio, or has more than one channel.
    """
    try:
        audio, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} is not an audio file; fetch the data again") from error
    if audio.shape[1] != 1:
        raise ValueError(f"{path} has {audio.shape[1]} channels, expected 1; fetch the data again")
    return audio[:, 0], int(rate)


def fitted(
    audio: NDArray[np.float64], rate: int, seconds: float, sample_rate: int = SAMPLE_RATE
) -> NDArray[np.float64]:
    """Resampled to `sample_rate`, cut or zero-padded, as in HEAR.

    Examples
    --------
    >>> fitted(np.ones(10), 10, 2.0).shape
    (88200,)
    """
    import torch
    from torchaudio.functional import resample

    if rate != sample_rate:
        audio = resample(torch.from_numpy(audio), rate, sample_rate).numpy()
    n_samples = round(seconds * sample_rate)
    clipped = np.clip(audio[:n_samples], -1.0, 1.0)
    return np.pad(clipped, (0, n_samples - len(clipped)))


def fold_names(n_folds: int) -> Sequence[str]:
    """HEAR's names of folds.

    Examples
    --------
    >>> fold_names(2)
    ['fold00', 'fold01']
    """
    return [f"fold{number:02}" for number in range(n_folds)]
