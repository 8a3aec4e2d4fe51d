"""Prepared datasets of noise, to time what reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset_info import INFO_FILE, DatasetInfo, write_info
from training.data.prepared import INT16_SCALE, Run, audio_file, bold_file
from training.data.prepared_files import files_of
from training.data.prepared_tables import RUN_ATTRIBUTES
from training.data.stimuli import DEFAULT_SAMPLE_RATE

SUBJECT = "sub-01"
TR = 1.49  # seconds


def write_noise(
    folder: Path,
    sounds: Mapping[str, float],
    runs: Sequence[Run],
    n_targets: int,
    seed: int,
    signal: Callable[[Run], NDArray[np.float32]] | None = None,
) -> None:
    """Write sounds of noise, and unrelated responses.

    Parameters
    ----------
    folder : Path
        A new one, or one with nothing but an image of the targets.
    sounds : mapping
        Duration of each stimulus in seconds.
    runs : sequence of Run
        All of :data:`SUBJECT`.
    n_targets, seed : int
    signal : callable, optional
        What the responses to a run hold besides noise of unit variance, ``(n_trs, n_targets)``.
    """
    import h5py

    generator = np.random.default_rng(seed)
    for path in (audio_file(folder, "a"), bold_file(folder, SUBJECT)):
        path.parent.mkdir(parents=True)
    for name, seconds in sounds.items():
        sound = generator.standard_normal(int(seconds * DEFAULT_SAMPLE_RATE), np.float32)
        np.save(audio_file(folder, name), (0.1 * INT16_SCALE * sound).astype(np.int16))
    with h5py.File(bold_file(folder, SUBJECT), "w", track_order=True) as file:
        for run in runs:
            table = generator.standard_normal((run.n_trs, n_targets), np.float32)
            if signal is not None:
                table += signal(run)
            attributes = file.create_dataset(run.name, data=table).attrs
            for key in RUN_ATTRIBUTES:
                attributes[key] = getattr(run, key)
    info = DatasetInfo(
        name=folder.name,
        kind="time_series",
        tr=TR,
        sample_rate=DEFAULT_SAMPLE_RATE,
        target_ids=tuple(range(1, n_targets + 1)),
        target_names=tuple(f"target {i}" for i in range(1, n_targets + 1)),
        files=files_of(folder),
    )
    (folder / INFO_FILE).write_text(write_info(info), encoding="utf-8")
