"""Teachers' targets for the crops of a step: summaries of their embeddings, looked up by time.

The network's input is augmented; the teachers' embeddings are of the original recordings.
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
from training.pretraining.crops import Crops
from training.pretraining.recipe import TeacherSettings
from training.pretraining.targets import LARGEST
from training.teachers.identity import TeacherIdentity
from training.teachers.table import TeacherTable


@dataclass(frozen=True)
class Role:
    """A target: its size, its weight, and the stages it is predicted from."""

    name: str
    size: int
    weight: float
    stages: tuple[str, ...]


class Teachers(nn.Module):
    """Summaries by all teachers, standardised over crops.

    Parameters
    ----------
    settings : mapping
        By name, which must differ from those of :mod:`training.pretraining.targets`.
    corpus : Corpus
        The corpus of all tables.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no complete table, or it is of another corpus, teacher, version or checkpoint
        than the settings require.
    """

    def __init__(self, settings: Mapping[str, TeacherSettings], corpus: Corpus) -> None:
        super().__init__()
        self.settings = {name: own for name, own in settings.items() if own.weight}
        self.tables = {name: _opened(own, corpus) for name, own in self.settings.items()}
        for name, size in self.sizes().items():
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))

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
            self.get_buffer(f"{name}_mean").copy_(known.mean(0))
            self.get_buffer(f"{name}_std").copy_(known.std(0).clamp_min(1e-3))

    def forward(self, crops: Crops) -> dict[str, Tensor]:
        """By teacher ``(n_crops, size)``; NaN for crops without embeddings."""
        return {name: self._standard(name, crops) for name in self.tables}

    def _standard(self, name: str, crops: Crops) -> Tensor:
        mean, std = self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_std")
        return ((torch.from_numpy(self._raw(name, crops)) - mean) / std).clamp(-LARGEST, LARGEST)

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
