"""Baseline with the HEAR API: what pretraining regresses on, computed and not learned.

1,600 numbers of a whole clip (:mod:`training.pretraining.targets`): mean and standard deviation of
128 log-mel bands, the 2-D modulation spectrum, and the power of spectrotemporal modulations in 16
bands; after bringing the clip to the default preset's level. Timestamp embeddings are those of
:mod:`benchmarks.hear.logmel`. A network that is trained to predict these numbers is worth something
only where it is better than they are.

>>> model = load_model()
>>> tuple(get_scene_embeddings(torch.zeros(2, 44_100), model).shape)
(2, 1600)
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from benchmarks.hear.modulation_spectrum import (
    SHORTEST,
    WholeClips,
    get_scene_embeddings,
    get_timestamp_embeddings,
    refuse_weights,
)
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.level import brought_to
from training.pretraining.targets import SAMPLE_RATE, Targets

__all__ = ["get_scene_embeddings", "get_timestamp_embeddings", "load_model"]

LEVEL = PRESETS["default"].level
SIZE = sum(size for name, size in Targets.sizes().items() if name != "frames")


class AcousticDescription(WholeClips):
    """Descriptions of whole clips of more than 1/4 s."""

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """``(n_sounds, 1600)`` of audio ``(n_sounds, n_samples)``."""
        if audio.shape[1] < SHORTEST * self.sample_rate:
            raise self.too_short(audio)
        audio = brought_to(LEVEL, self.resample(audio), SAMPLE_RATE)
        return torch.cat(list(_targets(audio.shape[1]).raw(audio).values()), dim=1)


@lru_cache(maxsize=4)
def _targets(n_samples: int) -> Targets:
    return Targets(n_samples)


def load_model(model_file_path: str = "", *, sample_rate: int = 48_000) -> AcousticDescription:
    """The model; there is no file to load.

    Raises
    ------
    ValueError
        If a file is given.
    """
    refuse_weights(model_file_path)
    return AcousticDescription(sample_rate, SIZE)
