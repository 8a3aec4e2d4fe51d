"""Interface of models: named stages from input to output, and their activations.

A model provides the response of each unit of a stage to a sound, averaged over time
(:meth:`StagedModel.activations`: one number per sound and unit, for experiments with one response
per sound), and the response of a stage over time (:meth:`StagedModel.frames`: for continuous
stimuli, each frame with its time).

Models are SoundNet checkpoints (:mod:`benchmarks.correspondence.soundnet_stages`), any
:class:`torch.nn.Module` by forward hooks (:mod:`benchmarks.correspondence.hooks`), any module with
the HEAR API (:mod:`benchmarks.correspondence.models`), and the baselines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """Activations of one stage over time.

    Attributes
    ----------
    values : Tensor
        ``(n_frames, n_units)``, float32.
    times_s : Tensor
        Centre of each frame in seconds of the sound, ``(n_frames,)``, float64.
    """

    values: Tensor
    times_s: Tensor


class StagedModel(Protocol):
    """A model whose stages are compared with brain responses.

    Attributes
    ----------
    name : str
        Name in tables and plots.
    sample_rate : int
        Rate in Hz of its input.
    stages : tuple of str
        From input to output.
    identity : str
        Hash of everything that the activations depend on (weights, options); name of the cache
        folder.
    """

    @property
    def name(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def stages(self) -> tuple[str, ...]: ...
    @property
    def identity(self) -> str: ...

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """Activations averaged over time.

        Parameters
        ----------
        audio : Tensor
            float32 ``(n_sounds, n_samples)`` at `sample_rate`, mono, within [-1, 1].

        Returns
        -------
        dict of Tensor
            For each stage ``(n_sounds, n_units)``, float32 on the CPU.
        """
        ...

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """Activations of one stage over the time of one sound.

        Parameters
        ----------
        audio : Tensor
            float32 ``(n_samples,)`` at `sample_rate`.
        stage : str
            One of `stages`.

        Raises
        ------
        ValueError
            If the times of its frames are unknown.
        """
        ...


def check_activations(
    model: StagedModel, activations: Mapping[str, Tensor], sounds: Sequence[str]
) -> None:
    """Reject activations that cannot be compared with responses.

    Parameters
    ----------
    model : StagedModel
        Model of the activations.
    activations : mapping
        By stage, ``(n_sounds, n_units)``.
    sounds : sequence of str
        Names of the sounds, for the message.

    Raises
    ------
    ValueError
        If stages are missing or unexpected, a stage does not have one row per sound, or an
        activation is not finite; the message names the stage and the sound.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(name="m", stages=("a",))
    >>> check_activations(model, {"a": torch.tensor([[1.0], [float("nan")]])}, ["dog", "bell"])
    Traceback (most recent call last):
        ...
    ValueError: m, stage a: activations of sound bell are not finite (1 of 1 units); the model ...
    """
    if set(activations) != set(model.stages):
        raise ValueError(
            f"{model.name} declares the stages {', '.join(model.stages)}, but gave "
            f"activations of {', '.join(sorted(activations)) or 'none'}; make the two agree"
        )
    for stage in model.stages:
        table = activations[stage]
        if table.ndim != 2 or len(table) != len(sounds) or table.shape[1] == 0:
            raise ValueError(
                f"{model.name}, stage {stage}: expected activations ({len(sounds)} sounds, n_units)"
                f", got {tuple(table.shape)}"
            )
        broken = ~torch.isfinite(table)
        rows = torch.nonzero(broken.any(dim=1)).ravel().tolist()
        if rows:
            n_broken = int(broken[rows[0]].sum())
            others = f" and of {len(rows) - 1} more sounds" if len(rows) > 1 else ""
            raise ValueError(
                f"{model.name}, stage {stage}: activations of sound {sounds[rows[0]]} are not "
                f"finite ({n_broken} of {table.shape[1]} units){others}; the model cannot be "
                "compared before it gives numbers for every sound"
            )
