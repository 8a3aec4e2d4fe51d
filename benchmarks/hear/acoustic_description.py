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
import torchaudio
from torch import Tensor, nn

from benchmarks.hear import logmel
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.level import brought_to
from training.pretraining.targets import FASTEST_HZ, N_RATES, SAMPLE_RATE, Targets

LEVEL = PRESETS["default"].level
SIZE = sum(size for name, size in Targets.sizes().items() if name != "frames")


class AcousticDescription(nn.Module):
    """Descriptions of whole clips of more than 1/4 s.

    Parameters
    ----------
    sample_rate : int
        Rate of the audio in Hz; it is resampled to 22,050.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.scene_embedding_size = SIZE
        self.timestamp_embedding_size = logmel.N_BANDS
        self.resample = torchaudio.transforms.Resample(sample_rate, SAMPLE_RATE)

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """``(n_sounds, 1600)`` of audio ``(n_sounds, n_samples)``."""
        shortest = N_RATES / 2 / FASTEST_HZ
        if audio.shape[1] < shortest * self.sample_rate:
            raise ValueError(
                f"a modulation spectrum needs sounds of {shortest:g} s or more, got "
                f"{audio.shape[1] / self.sample_rate:g} s"
            )
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
    if model_file_path:
        raise ValueError(f"there are no weights, got {model_file_path!r}; leave it out")
    return AcousticDescription(sample_rate)


def get_scene_embeddings(audio: Tensor, model: AcousticDescription) -> Tensor:
    """``(n_sounds, 1600)``."""
    found: Tensor = model(audio)
    return found


def get_timestamp_embeddings(audio: Tensor, model: AcousticDescription) -> tuple[Tensor, Tensor]:
    """As :func:`benchmarks.hear.logmel.get_timestamp_embeddings`."""
    return logmel.get_timestamp_embeddings(audio, _bands(model.sample_rate).to(audio.device))


@lru_cache(maxsize=8)
def _bands(sample_rate: int) -> logmel.LogMel:
    return logmel.load_model(sample_rate=sample_rate)
