"""Onset detection from the frames of a network.

A logistic regression predicts for each frame whether an onset is near; onsets are peaks of its
output above a threshold, which is selected on separate clips. A detection within 200 ms of an onset
is correct; each counts once. The score is the F measure over all test clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

import hear_brainsoundnet
from benchmarks.development.embeddings import Candidate
from benchmarks.hear.task_folder import TaskFolder
from training.corpus.corpus import SAMPLE_RATE

TOLERANCE_MS = 200.0
NEAR_MS = 60.0  # distance from an onset of positive frames
APART_MS = 250.0  # between peaks, at least
N_THRESHOLDS = 40
N_DRAWS = 500  # of test clips, for the interval
_CLIPS_AT_ONCE = 8

Times = NDArray[np.float64]  # milliseconds, ascending


@dataclass(frozen=True)
class OnsetScore:
    """F measure with the 95 % interval over draws of test clips."""

    f_measure: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.f_measure:.3f} ({self.low:.3f} to {self.high:.3f})"


def onset_score(candidate: Candidate, task: TaskFolder, seed: int = 0) -> OnsetScore:
    """Train on the task's training clips, select the threshold on its valid ones, and test.

    Parameters
    ----------
    candidate : Candidate
        Provides network, preset and level; frames are those of the preset.
    task : TaskFolder
        From :func:`benchmarks.development.onset_clips.make_onset`.
    seed : int
        Seed of the draws of test clips.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    onsets = {
        split: [np.array(sorted(each["start"] for each in own)) for own in labels.values()]
        for split, labels in task.labels.items()
    }
    frames, times = _frames(candidate, task, "train")
    near = [np.abs(times[:, None] - own).min(axis=1, initial=np.inf) for own in onsets["train"]]
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=200, class_weight="balanced")
    )
    probe.fit(np.concatenate(frames), np.concatenate(near) <= NEAR_MS)

    def said(split: str) -> tuple[list[Times], Times]:
        own, own_times = _frames(candidate, task, split)
        return [probe.decision_function(each) for each in own], own_times

    valid, valid_times = said("valid")
    thresholds = np.quantile(np.concatenate(valid), np.linspace(0.5, 0.999, N_THRESHOLDS))
    scores = [
        _f_measure(_counts([peaks(each, valid_times, at) for each in valid], onsets["valid"]))
        for at in thresholds
    ]
    threshold = float(thresholds[int(np.argmax(scores))])
    tested, test_times = said("test")
    counts = _counts([peaks(each, test_times, threshold) for each in tested], onsets["test"])
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(counts), size=(N_DRAWS, len(counts)))
    draws = [_f_measure(counts[own]) for own in chosen]
    low, high = np.quantile(draws, [0.025, 0.975])
    return OnsetScore(_f_measure(counts), float(low), float(high))


def peaks(values: Times, times: Times, threshold: float) -> Times:
    """Times of peaks above a threshold; of two peaks too close together, the higher one.

    Examples
    --------
    >>> peaks(np.array([0.0, 3, 0, 0, 1, 5, 0]), 200.0 * np.arange(7), 2.0)
    array([ 200., 1000.])
    """
    from scipy.signal import find_peaks

    distance = max(1.0, APART_MS / float(times[1] - times[0])) if len(times) > 1 else 1.0
    padded = np.pad(values, 1, constant_values=-np.inf)
    found, _ = find_peaks(padded, height=threshold, distance=distance)
    return np.asarray(times[found - 1])


def n_matched(found: Times, true: Times, tolerance: float = TOLERANCE_MS) -> int:
    """Maximal number of pairs of a detected and a true onset, each in at most one pair.

    Examples
    --------
    >>> n_matched(np.array([0.0, 100.0, 900.0]), np.array([150.0, 1000.0, 2000.0]))
    2
    """
    i = j = matched = 0
    while i < len(found) and j < len(true):
        if abs(found[i] - true[j]) <= tolerance:
            i, j, matched = i + 1, j + 1, matched + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return matched


def _counts(found: Sequence[Times], true: Sequence[Times]) -> NDArray[np.int64]:
    """By clip: pairs, found and true onsets, ``(n_clips, 3)``."""
    return np.array(
        [(n_matched(f, t), len(f), len(t)) for f, t in zip(found, true, strict=True)], np.int64
    )


def _f_measure(counts: NDArray[np.int64]) -> float:
    matched, found, true = counts.sum(axis=0)
    return float(2 * matched / max(1, found + true))


def _frames(
    candidate: Candidate, task: TaskFolder, split: str
) -> tuple[list[NDArray[np.float64]], Times]:
    """Frames of each clip, ``(n_frames, size)``, and their times, which all clips share."""
    model = hear_brainsoundnet.load_model(
        candidate.checkpoint,
        sample_rate=SAMPLE_RATE,
        preset=candidate.preset,
        level=candidate.level,
    )
    folder: Path = task.path / str(SAMPLE_RATE) / split
    clips = [soundfile.read(folder / name, dtype="float32")[0] for name in task.labels[split]]
    frames: list[NDArray[np.float64]] = []
    for part in torch.from_numpy(np.stack(clips)).split(_CLIPS_AT_ONCE):
        with torch.no_grad():
            embeddings, milliseconds = hear_brainsoundnet.get_timestamp_embeddings(part, model)
        frames += list(embeddings.double().numpy())
    return frames, milliseconds[0].double().numpy()
