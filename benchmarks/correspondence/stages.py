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

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.kept import kept_arrays
from hear_brainsoundnet.resampling import Resampler

logger = logging.getLogger(__name__)
SOUNDS_AT_ONCE = 16
Audio = tuple[NDArray[np.float32], int]  # samples (n_samples,) within [-1, 1], rate in Hz
Activations = dict[str, NDArray[np.float32]]  # by stage, (n_sounds, n_units)


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


def activations_on(
    model: StagedModel,
    sounds: Sequence[str],
    read: Callable[[str], Audio],
    cache: Path | None = None,
) -> Activations:
    """Time-averaged activations, computed or read from the cache.

    Parameters
    ----------
    model : StagedModel
        The model; sounds are resampled to its rate.
    sounds : sequence of str
        Names of the sounds.
    read : callable
        From a name to its samples and rate. Sounds of equal length are batched.
    cache : Path, optional
        Folder of files named by hashes of the model's identity and the content of all sounds.

    Returns
    -------
    dict
        By stage in the model's order, float32 ``(n_sounds, n_units)``.

    Raises
    ------
    ValueError
        If activations are missing, of the wrong shape or not finite; the message names stage and
        sound.
    """
    audio = [read(name) for name in sounds]
    if cache is None:
        return _compute(model, sounds, audio)
    slug = re.sub(r"[^A-Za-z0-9.=-]+", "-", model.name)[:60]
    identity = hashlib.sha256(f"{model.identity} {model.stages}".encode()).hexdigest()
    file = cache / f"{slug}-{identity[:16]}-{_hash_of(sounds, audio)[:16]}.npz"

    def compute() -> Activations:
        tables = _compute(model, sounds, audio).values()
        return {f"stage-{i}": table for i, table in enumerate(tables)}

    return dict(zip(model.stages, kept_arrays(file, compute).values(), strict=True))


def _compute(model: StagedModel, sounds: Sequence[str], audio: Sequence[Audio]) -> Activations:
    rates = {rate for _, rate in audio}
    resamplers = {rate: Resampler(rate, model.sample_rate) for rate in rates}
    groups: dict[tuple[int, int], list[int]] = {}
    for number, (samples, rate) in enumerate(audio):
        groups.setdefault((len(samples), rate), []).append(number)
    rows: dict[str, dict[int, NDArray[np.float32]]] = {stage: {} for stage in model.stages}
    for (_, rate), members in groups.items():
        for first in range(0, len(members), SOUNDS_AT_ONCE):
            some = members[first : first + SOUNDS_AT_ONCE]
            batch = torch.from_numpy(np.stack([audio[number][0] for number in some]))
            found = model.activations(resamplers[rate](batch))
            check_activations(model, found, [sounds[number] for number in some])
            for stage in model.stages:
                rows[stage].update(zip(some, found[stage].numpy(), strict=True))
            logger.info("%s: %d sounds", model.name, len(rows[model.stages[0]]))
    return {
        stage: np.stack([own[number] for number in range(len(sounds))])
        for stage, own in rows.items()
    }


def _hash_of(sounds: Sequence[str], audio: Sequence[Audio]) -> str:
    digest = hashlib.sha256()
    for name, (samples, rate) in zip(sounds, audio, strict=True):
        digest.update(f"{name} {rate} {len(samples)}".encode())
        digest.update(np.ascontiguousarray(samples).tobytes())
    return digest.hexdigest()
