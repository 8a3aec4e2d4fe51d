"""Wrapper of any model that normalises the level of its input over a moving window."""

from __future__ import annotations

from torch import Tensor

from benchmarks.correspondence.stages import Frames, StagedModel
from hear_brainsoundnet.level import WINDOW_S, brought_to, check_level


class AtLevel:
    """A model with level normalisation of its input, as in presets of the embedding.

    Parameters
    ----------
    model : StagedModel
        The model; stages and sample rate are its own.
    level : float
        In (0, 1], as in :mod:`hear_brainsoundnet.level`.

    Examples
    --------
    >>> import torch
    >>> from benchmarks.correspondence.baselines.log_mel import LogMel
    >>> noise = torch.rand(1, 22050) - 0.5
    >>> activations = AtLevel(LogMel(), 0.07).activations(torch.cat([noise, noise / 8]))
    >>> bool(torch.allclose(*activations["mean and std"]))
    True
    """

    def __init__(self, model: StagedModel, level: float) -> None:
        self.level = check_level(level)
        if not self.level:
            raise ValueError("a level of 0 means no normalisation; use the model itself")
        self.model = model
        self.name = f"{model.name}, level {level:g}"
        self.sample_rate = model.sample_rate
        self.stages = model.stages
        self.identity = f"{model.identity} at level {level!r} within {WINDOW_S:g} s"

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return self.model.activations(brought_to(self.level, audio, self.sample_rate))

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`."""
        return self.model.frames(brought_to(self.level, audio[None], self.sample_rate)[0], stage)
