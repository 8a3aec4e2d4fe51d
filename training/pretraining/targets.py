"""Regression targets of a crop: from its own audio, without labels, and from teachers.

From its audio: a log-mel spectrogram, the mean and standard deviation of its bands, its 2-D
modulation spectrum, and the power of spectrotemporal modulations in each band: at several rates,
upwards and downwards, and several scales. All are computed from the augmented crop that is the
network's input.

From teachers: summaries of their embeddings of the original recording, looked up by time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn

from training.corpus.corpus import Corpus
from training.data.stimuli import DEFAULT_SAMPLE_RATE
from training.pretraining.crops import Crops
from training.pretraining.recipe import TeacherSettings
from training.sound_features import LogMel, ModulationPower, modulation_spectrum
from training.teachers.table import TeacherTable
from training.teachers.teacher import TeacherIdentity

SAMPLE_RATE = DEFAULT_SAMPLE_RATE  # Hz
N_FFT, HOP, N_BANDS = 1024, 220, 128
FLOOR = 1e-6
POWER_FLOOR = 1e-2  # of modulation power: ripples of 0.1 neper
LARGEST = 4.0  # standard deviations: limits outliers such as silence and single clicks
FASTEST_HZ = 32.0  # of the modulation spectrum
N_SCALES, N_RATES = 24, 16
RATES_HZ = (0.75, 1.5, 3.0, 6.0, 12.0, 24.0)
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)  # cycles over N_POWER_BANDS / 4 bands
N_POWER_BANDS = 64
N_REPORTED_BANDS = 16


class _Standardised(nn.Module):
    """Mean and standard deviation of each target, estimated from crops."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        for name, size in sizes.items():
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))

    def _scale(self, name: str) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_std")

    def _estimate(self, name: str, table: Tensor) -> None:
        mean, std = self._scale(name)
        mean.copy_(table.mean(0))
        std.copy_(table.std(0).clamp_min(1e-3))

    def _standard(self, name: str, table: Tensor) -> Tensor:
        mean, std = self._scale(name)
        return ((table - mean) / std).clamp(-LARGEST, LARGEST)


class Targets(_Standardised):
    """Targets of crops, standardised over the corpus.

    Parameters
    ----------
    n_samples : int
        Length of every crop.

    Examples
    --------
    >>> targets = Targets(22050)
    >>> described = targets.raw(torch.randn(2, 22050))
    >>> {name: tuple(table.shape) for name, table in described.items()}
    {'bands': (2, 256), 'modulation_spectrum': (2, 384), 'modulation_power': (2, 960)}
    """

    def __init__(self, n_samples: int) -> None:
        super().__init__(self.sizes())
        self.mel = LogMel(SAMPLE_RATE, N_FFT, HOP, N_BANDS, FLOOR)
        self.n_fastest = round(FASTEST_HZ * n_samples / SAMPLE_RATE)
        n_frames = n_samples // HOP  # without the last one: composite lengths are fast
        self.modulation_power = ModulationPower(
            n_frames,
            SAMPLE_RATE / HOP,
            RATES_HZ,
            SCALES,
            N_POWER_BANDS,
            N_REPORTED_BANDS,
            POWER_FLOOR,
        )

    @staticmethod
    def sizes() -> dict[str, int]:
        """Size of each target of a crop, and bands of a frame."""
        return {
            "bands": 2 * N_BANDS,
            "modulation_spectrum": N_SCALES * N_RATES,
            "modulation_power": len(SCALES) * 2 * len(RATES_HZ) * N_REPORTED_BANDS,
            "frames": N_BANDS,
        }

    def log_mel(self, audio: Tensor) -> Tensor:
        """``(n_crops, N_BANDS, n_frames)``, frame `k` centred at ``k * HOP`` samples."""
        spectrogram: Tensor = self.mel(audio)
        return spectrogram[..., : audio.shape[1] // HOP]

    def raw(self, audio: Tensor) -> dict[str, Tensor]:
        """Targets of whole crops ``(n_crops, n_samples)``, not standardised."""
        return self._described(self.log_mel(audio))

    @torch.no_grad()
    def calibrate(self, audio: Tensor) -> None:
        """Estimate mean and standard deviation of every value from these crops."""
        log_mel = self.log_mel(audio)
        tables = {**self._described(log_mel), "frames": log_mel.transpose(1, 2).flatten(0, 1)}
        for name, table in tables.items():
            self._estimate(name, table)

    @torch.no_grad()
    def forward(self, audio: Tensor) -> dict[str, Tensor]:
        """Standardised targets, with ``frames``: ``(n_crops, N_BANDS, n_frames)``.

        Values are clipped at ``LARGEST`` standard deviations.
        """
        log_mel = self.log_mel(audio)
        described = self._described(log_mel)
        standard = {name: self._standard(name, table) for name, table in described.items()}
        mean, std = self._scale("frames")
        frames = ((log_mel - mean[:, None]) / std[:, None]).clamp(-LARGEST, LARGEST)
        return {**standard, "frames": frames}

    def _described(self, log_mel: Tensor) -> dict[str, Tensor]:
        return {
            "bands": torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2)], dim=1),
            "modulation_spectrum": modulation_spectrum(log_mel, self.n_fastest, N_SCALES, N_RATES),
            "modulation_power": self.modulation_power(log_mel),
        }


@dataclass(frozen=True)
class Role:
    """A target: its size, its weight, and the stages it is predicted from."""

    name: str
    size: int
    weight: float
    stages: tuple[str, ...]


class Teachers(_Standardised):
    """Summaries by all teachers, standardised over crops.

    Parameters
    ----------
    settings : mapping
        By name, which must differ from those of :class:`Targets`.
    corpus : Corpus
        The corpus of all tables.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no complete table, or it is of another corpus, teacher, version or checkpoint
        than the settings require.
    """

    def __init__(self, settings: Mapping[str, TeacherSettings], corpus: Corpus) -> None:
        self.settings = {name: own for name, own in settings.items() if own.weight}
        self.tables = {name: _opened(own, corpus) for name, own in self.settings.items()}
        super().__init__(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Size of the summary of a crop, by teacher."""
        return {
            name: table.size * len(self.settings[name].statistics)
            for name, table in self.tables.items()
        }

    def identities(self) -> dict[str, JsonValue]:
        """Identity of each teacher, for provenance."""
        return {
            name: {
                **table.info.teacher.model_dump(mode="json"),
                "kinds": list(table.info.kinds),
                "statistics": list(self.settings[name].statistics),
            }
            for name, table in self.tables.items()
        }

    def roles(self) -> list[Role]:
        """Weight and stages of each teacher."""
        return [
            Role(name, size, self.settings[name].weight, self.settings[name].stages)
            for name, size in self.sizes().items()
        ]

    def calibrate(self, steps: Sequence[Crops]) -> None:
        """Estimate mean and standard deviation of every value from the crops of these steps."""
        for name in self.tables:
            table = torch.from_numpy(np.concatenate([self._raw(name, crops) for crops in steps]))
            known = table[~table.isnan().any(dim=1)]
            if len(known) < 2:
                raise ValueError(
                    f"{self.settings[name].table} has embeddings of {len(known)} of {len(table)} "
                    "crops; choose a teacher with embeddings of more of the corpus"
                )
            self._estimate(name, known)

    def forward(self, crops: Crops) -> dict[str, Tensor]:
        """By teacher ``(n_crops, size)``; NaN for crops without embeddings."""
        return {
            name: self._standard(name, torch.from_numpy(self._raw(name, crops)))
            for name in self.tables
        }

    def _raw(self, name: str, crops: Crops) -> NDArray[np.float32]:
        table, statistics = self.tables[name], self.settings[name].statistics
        rows = np.full((len(crops.recordings), table.size * len(statistics)), np.nan, np.float32)
        places = zip(crops.recordings.tolist(), crops.start_s, crops.stop_s, strict=True)
        for row, (recording, start, stop) in zip(rows, places, strict=True):
            summary = table.summary(recording, start, stop, statistics)
            if summary is not None:
                row[:] = summary
        return rows


def _opened(settings: TeacherSettings, corpus: Corpus) -> TeacherTable:
    table = TeacherTable.of_corpus(settings.table, corpus)
    if settings.module is not None:
        named = TeacherIdentity.of(settings.module, settings.checkpoint)
        expected = table.info.model_copy(update={"teacher": named})
        expected.refuse_others(table.info, f"the table {settings.table}")
    return table
