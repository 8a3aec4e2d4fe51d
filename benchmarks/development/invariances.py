"""Invariances of an embedding: to the level of a recording, and to distant events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import hear_brainsoundnet
from benchmarks.development.embeddings import Candidate, every_scene, stages_of
from hear_brainsoundnet.embedding import EmbeddingModel
from training.corpus.corpus import SAMPLE_RATE

GAINS_DB: Mapping[str, float] = {"20 dB down": -20.0, "10 dB up": 10.0}
PEAK = 0.25  # of the unmodified clips: 10 dB more do not clip
DISTANCE_S = 10.0  # from a click to the nearest frame compared
_SECONDS, _CLICK_S = 21.0, 20.5
_NOISE, _CLICK = 0.003, 1.0  # root mean square, and amplitude
_CLIPS_AT_ONCE = 20


def level_tables(
    candidate: Candidate, clips: Sequence[NDArray[np.floating]]
) -> dict[str, NDArray[np.float32]]:
    """All stages and poolings of clips at their original level ("") and at each of
    :data:`GAINS_DB`.

    Parameters
    ----------
    candidate : Candidate
        Provides network and level; its expression is ignored.
    clips : sequence of ndarray
        Of equal length, at the corpus rate.
    """
    model = _load(candidate, scene=every_scene(stages_of(candidate.checkpoint)))
    own = torch.from_numpy(np.stack([PEAK * clip / np.abs(clip).max() for clip in clips])).float()
    tables = {}
    for name, decibels in {"": 0.0, **GAINS_DB}.items():
        parts = (own * 10 ** (decibels / 20)).split(_CLIPS_AT_ONCE)
        with torch.no_grad():
            scenes = [hear_brainsoundnet.get_scene_embeddings(part, model) for part in parts]
        tables[name] = torch.cat(scenes).numpy()
    return tables


def mean_cosine(own: NDArray[np.floating], changed: NDArray[np.floating]) -> float:
    """Mean cosine between embeddings of clips and of the same clips modified, standardised as
    `own`.

    Examples
    --------
    >>> own = np.array([[0.0, 5.0], [2.0, 5.0]])
    >>> mean_cosine(own, own), mean_cosine(own, own[::-1])
    (1.0, -1.0)
    """
    deviation = own.std(axis=0)
    varies = deviation > 0
    first, second = (
        (np.asarray(table[:, varies], np.float64) - own[:, varies].mean(axis=0)) / deviation[varies]
        for table in (own, changed)
    )
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(np.mean((first * second).sum(axis=1) / np.maximum(lengths, 1e-12)))


def moved_by_click(candidate: Candidate, seed: int = 0) -> float:
    """Effect of a loud click on frames at least 10 s before it, in quiet noise.

    Returns
    -------
    float
        Maximal difference, in standard deviations of the frames; 0 for frames that do not depend on
        distant samples.
    """
    model = _load(candidate)
    generator = torch.Generator().manual_seed(seed)
    noise = _NOISE * torch.randn(1, round(_SECONDS * SAMPLE_RATE), generator=generator)
    clicked = noise.clone()
    clicked[0, round(_CLICK_S * SAMPLE_RATE)] = _CLICK
    with torch.no_grad():
        frames, milliseconds = hear_brainsoundnet.get_timestamp_embeddings(noise, model)
        moved, _ = hear_brainsoundnet.get_timestamp_embeddings(clicked, model)
    before = milliseconds[0] <= 1000 * (_CLICK_S - DISTANCE_S)
    difference = (moved - frames)[0, before].abs().max()
    return float(difference / frames[0, before].std().clamp_min(torch.finfo(frames.dtype).tiny))


def _load(candidate: Candidate, scene: str | None = None) -> EmbeddingModel:
    return hear_brainsoundnet.load_model(
        candidate.checkpoint,
        sample_rate=SAMPLE_RATE,
        preset=candidate.preset,
        level=candidate.level,
        scene=scene,
    )
