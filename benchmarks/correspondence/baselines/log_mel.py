"""Log-mel baselines: mean and standard deviation of the bands, and a modulation spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.correspondence.stages import Frames
from benchmarks.hear import logmel, modulation_spectrum

SAMPLE_RATE = 22_050


class LogMel:
    """Mean and standard deviation over time of 128 log-mel bands: 256 units.

    The bands are those of the HEAR baseline :mod:`benchmarks.hear.logmel`.
    """

    name = "log-mel"
    sample_rate = SAMPLE_RATE
    stages = ("mean and std",)
    identity = f"log-mel-1-{logmel.N_BANDS}-{logmel.FRAMES_PER_SECOND}"

    def __init__(self) -> None:
        self.model = logmel.load_model(sample_rate=SAMPLE_RATE)

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return {self.stages[0]: logmel.get_scene_embeddings(audio, self.model)}

    @torch.no_grad()
    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`: the bands themselves."""
        frames, milliseconds = logmel.get_timestamp_embeddings(audio[None], self.model)
        return Frames(frames[0], milliseconds[0].double() / 1000)


class ModulationSpectrum:
    """:mod:`benchmarks.hear.modulation_spectrum` as a model with one stage: 640 units.

    Parameters
    ----------
    name : str
        Name in the tables.
    """

    sample_rate = SAMPLE_RATE
    stages = ("modulation spectrum",)
    identity = "modulation-spectrum-1"

    def __init__(self, name: str = "modulation spectrum") -> None:
        self.name = name
        self.model = modulation_spectrum.load_model(sample_rate=SAMPLE_RATE)

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return {self.stages[0]: modulation_spectrum.get_scene_embeddings(audio, self.model)}

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """Not available: the features describe a whole sound."""
        raise ValueError(f"{self.name} describes a whole sound and has no frames in time")
