"""All poolings of all stages of a network, computed once; a scene expression selects columns.

conv1 is left out: its many frames would cost more than all other stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.default_checkpoint.tasks import PLUGIN
from benchmarks.hear.model_identity import model_for
from benchmarks.hear.scene_embeddings import scene_embeddings
from benchmarks.hear.task_folder import TaskFolder
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.features import POOLINGS, PRESETS, parse_scene
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry

LEFT_OUT = ("conv1",)
LAGS = {"conv2": (1, 2, 4, 8, 16, 32, 64)}  # lags of changes; 1 for other stages

Embeddings = Mapping[str, NDArray[np.float32]]  # by split, (n_clips, n_columns)


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
