"""Collections that tests make by hand: what a source would have found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from training.sources.source import Collection, Recording, Targets

TR = 1.5
N_TRS = 30


def noise_sound(path: Path, duration: float, seed: int, rate: int = 8_000) -> Path:
    """Noise whose level changes every second, so that its envelope has a shape."""
    generator = np.random.default_rng(seed)
    n_samples = round(duration * rate)
    levels = generator.uniform(0.01, 0.1, int(duration) + 1)
    samples = generator.standard_normal(n_samples) * np.repeat(levels, rate)[:n_samples]
    soundfile.write(path, np.clip(samples, -0.99, 0.99), rate)
    return path


def load_table(path: Path) -> np.ndarray:
    return np.load(path)


def small_collection(folder: Path, subjects=("sub-01", "sub-02"), n_runs=2, n_targets=6):
    """Runs of noise that are files in `folder`, ids 10, 20, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    recordings, stimuli = [], {}
    for i in range(n_runs):
        name = f"film-{i}"
        path = folder / f"{name}.wav"
        stimuli[name] = path if path.exists() else noise_sound(path, N_TRS * TR, seed=i)
    for s, subject in enumerate(subjects):
        for i in range(n_runs):
            path = folder / f"{subject}_{i}.npy"
            if not path.exists():
                generator = np.random.default_rng([s, i])
                np.save(path, 100 + generator.standard_normal((N_TRS, n_targets)))
            load = partial(load_table, path)
            recordings.append(
                Recording(subject, f"run-{i}", f"film-{i}", load, TR, session="01", files=(path,))
            )
    ids = tuple(range(10, 10 * n_targets + 1, 10))
    targets = Targets(ids, tuple(f"parcel {i}" for i in ids), atlas="made up")
    return Collection("time_series", targets, recordings, stimuli)


def with_table(collection: Collection, table, which: int = 0) -> Collection:
    """The same with other responses in one of its runs."""
    recordings = list(collection.recordings)
    recordings[which] = replace(recordings[which], load=lambda: table, files=())
    return replace(collection, recordings=recordings)


def sound_collection(folder: Path, n_sounds=5, n_targets=4) -> Collection:
    """Responses of two subjects to short sounds."""
    folder.mkdir(parents=True, exist_ok=True)
    stimuli = {f"s{i}": noise_sound(folder / f"s{i}.wav", 1.0, i) for i in range(n_sounds)}
    recordings = []
    for s, subject in enumerate(("sub-a", "sub-b")):
        table = np.random.default_rng(s).normal(3, 2, (n_sounds, n_targets))
        recordings += [
            Recording(subject, name, name, partial(np.asarray, table[i : i + 1]), tr=0.0)
            for i, name in enumerate(stimuli)
        ]
    ids = tuple(range(1, n_targets + 1))
    return Collection("sound_responses", Targets(ids, tuple(map(str, ids))), recordings, stimuli)
