"""Candidates: networks with all poolings of their stages, computed once, and their invariances.

A scene expression selects columns of the poolings. conv1 is left out: its many frames would cost
more than all other stages. The invariances are to the level of a recording, and to distant events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import hear_brainsoundnet
from benchmarks.default_checkpoint.tasks import PLUGIN
from benchmarks.hear.model_identity import model_for
from benchmarks.hear.scene_embeddings import scene_embeddings
from benchmarks.hear.task_folder import TaskFolder
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.features import POOLINGS, PRESETS, parse_scene
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
from training.corpus.corpus import SAMPLE_RATE

LEFT_OUT = ("conv1",)
LAGS = {"conv2": (1, 2, 4, 8, 16, 32, 64)}  # lags of changes; 1 for other stages

Embeddings = Mapping[str, NDArray[np.float32]]  # by split, (n_clips, n_columns)
GAINS_DB: Mapping[str, float] = {"20 dB down": -20.0, "10 dB up": 10.0}
PEAK = 0.25  # of the unmodified clips: 10 dB more do not clip
DISTANCE_S = 10.0  # from a click to the nearest frame compared
_SECONDS, _CLICK_S = 21.0, 20.5
_NOISE, _CLICK = 0.003, 1.0  # root mean square, and amplitude
_CLIPS_AT_ONCE = 20


def every_scene(stages: Mapping[str, StageGeometry]) -> str:
    """The expression that contains all of them.

    Examples
    --------
    >>> every_scene(stage_geometry()).split("+")[-1]
    'conv7:mean,std,max,change1'
    """
    terms = []
    for name in stages:
        if name not in LEFT_OUT:
            changes = (f"change{lag}" for lag in LAGS.get(name, (1,)))
            terms.append(f"{name}:{','.join((*POOLINGS, *changes))}")
    return "+".join(terms)


def columns_of(scene: str, stages: Mapping[str, StageGeometry]) -> NDArray[np.int64]:
    """Columns of a scene expression among those of :func:`every_scene`.

    Raises
    ------
    ValueError
        If it is not a valid expression, or names an excluded stage.

    Examples
    --------
    >>> stages = stage_geometry()
    >>> columns_of("pool1:std", stages)
    array([16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31])
    """
    first, position = {}, 0
    for term in parse_scene(every_scene(stages), stages):
        for pooling in term.poolings:
            first[term.stage, pooling] = position
            position += stages[term.stage].channels
    columns = []
    for term in parse_scene(scene, stages):
        if term.stage in LEFT_OUT:
            raise ValueError(
                f"scene={scene!r}: {term.stage} is not compared here; choose from "
                f"{', '.join(name for name in stages if name not in LEFT_OUT)}"
            )
        for pooling in term.poolings:
            if (term.stage, pooling) not in first:
                raise ValueError(
                    f"scene={scene!r}: {pooling} of {term.stage} is not compared here; choose "
                    f"poolings of {every_scene({term.stage: stages[term.stage]})}"
                )
            start = first[term.stage, pooling]
            columns.append(np.arange(start, start + stages[term.stage].channels))
    return np.concatenate(columns)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint with scene expression and level.

    Attributes
    ----------
    name : str
        Display name.
    checkpoint : str
        Name or path.
    scene : str
        Expression, or the name of a preset.
    level : float or None
        Target level; None for that of the preset.
    """

    name: str
    checkpoint: str
    scene: str = "default"
    level: float | None = None

    @property
    def preset(self) -> str:
        """The preset for settings not in the expression."""
        return self.scene if self.scene in PRESETS else "default"

    @property
    def expression(self) -> str:
        """Scene expression."""
        return PRESETS[self.scene].scene if self.scene in PRESETS else self.scene

    @property
    def options(self) -> dict[str, object]:
        """Keywords for ``load_model`` except rate and scene."""
        level = {} if self.level is None else {"level": self.level}
        return {"preset": self.preset, **level}

    def columns(self) -> NDArray[np.int64]:
        """Its columns of :func:`embed_all`."""
        return columns_of(self.expression, stages_of(self.checkpoint))


def stages_of(checkpoint: str) -> dict[str, StageGeometry]:
    """Stages of a checkpoint's network."""
    return stage_geometry(load_checkpoint(checkpoint).card.layers)


def embed_all(
    candidate: Candidate, tasks: Sequence[TaskFolder], cache: Path
) -> dict[str, Embeddings]:
    """By task, every stage and pooling of the candidate's network, cached.

    Raises
    ------
    FileNotFoundError, ValueError
        If checkpoint or tasks are missing or invalid.
    """
    options = {**candidate.options, "scene": every_scene(stages_of(candidate.checkpoint))}
    model = model_for(tasks, PLUGIN, candidate.checkpoint, options)
    found: dict[str, Embeddings] = {}
    for task in tasks:
        found[task.name] = scene_embeddings(model, task, cache / model.folder / f"{task.name}.npz")
    return found


def level_tables(
    candidate: Candidate, clips: Sequence[NDArray[np.floating]]
) -> dict[str, NDArray[np.float32]]:
    """All stages and poolings of clips at their level ("") and at each of :data:`GAINS_DB`.

    The candidate's expression is ignored; clips are of equal length, at the corpus rate.
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
