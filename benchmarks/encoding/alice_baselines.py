"""Baselines: predictions from simple features, and from other listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.alice_data import Courses, Recordings, regressors_of
from benchmarks.encoding.fits import ridge_predictions
from training.data.prepared import INT16_SCALE, Prepared


def from_power(prepared: Prepared, sides: Mapping[str, Recordings], n_delays: int) -> Courses:
    """Ridge on the root mean square of the stimulus in each TR."""
    power = {}
    for side in ("train", "test"):
        run = sides[side].runs[0]
        audio = prepared.audio(run.stimulus) / INT16_SCALE
        edges = (run.start + np.arange(run.n_trs + 1) * run.tr) * prepared.info.sample_rate
        pieces = np.split(audio, edges.astype(int))[1:-1]
        power[side] = np.array([[np.sqrt(np.mean(piece**2))] for piece in pieces], np.float32)
    features = {side: [table] * len(sides[side].runs) for side, table in power.items()}
    return _ridge(sides, features, n_delays)


def from_regressors(folder: Path, sides: Mapping[str, Recordings]) -> Courses:
    """Ridge on the two regressors published with the data, convolved with a haemodynamic
    response."""
    features: dict[str, list[NDArray[np.float32]]] = {"train": [], "test": []}
    for train, test in zip(sides["train"].runs, sides["test"].runs, strict=True):
        known = regressors_of(folder, train)
        scale = known.std(axis=0)  # power and words per second have different units
        features["train"].append(known / scale)
        features["test"].append(regressors_of(folder, test) / scale)
    return _ridge(sides, features, n_delays=1)


def from_others(measured: Courses) -> Courses:
    """For each listener the mean of all others: the shared response to the story."""
    n_listeners = len(measured)
    return (measured.sum(axis=0) - measured) / max(1, n_listeners - 1)


def _ridge(
    sides: Mapping[str, Recordings],
    features: Mapping[str, Sequence[NDArray[np.float32]]],
    n_delays: int,
) -> Courses:
    train = sides["train"]
    predicted = []
    for i, run in enumerate(train.runs):
        responses = train.measured[i].astype(np.float32)
        heard = features["test"][i]
        predicted += ridge_predictions(
            [run], [features["train"][i]], [responses], [heard], n_delays
        )
    return np.stack(predicted).astype(np.float64)
