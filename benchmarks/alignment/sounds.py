"""The 165 natural sounds as a network receives them."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from benchmarks.alignment.networks import Start, Table
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import natural_sounds
from benchmarks.hear.tasks.natsound165_categories import FOLDER, sound_categories
from benchmarks.kept import kept_arrays

SEED = 0


@dataclass(frozen=True)
class Sounds:
    """Frames of the fixed stage, responses and categories of the 165 sounds, in one order."""

    frames: torch.Tensor
    responses: Table
    categories: tuple[str, ...]
    components: tuple[str, ...]

    def folds(self, n: int, rows: NDArray[np.intp] | None = None) -> list[Split]:
        """`n` folds of all sounds, or of some rows, balanced over categories."""
        from sklearn.model_selection import StratifiedKFold

        rows = np.arange(len(self.categories)) if rows is None else rows
        labels = np.array(self.categories)[rows]
        with warnings.catch_warnings():  # the smallest category has fewer sounds than folds
            warnings.filterwarnings("ignore", message="The least populated class")
            parts = StratifiedKFold(n, shuffle=True, random_state=SEED).split(rows, labels)
            return [Split(rows[train], rows[test]) for train, test in parts]


@functools.cache
def read_start(checkpoint: str) -> Start:
    """The start, loaded once in each process."""
    torch.set_num_threads(1)  # several processes work at once
    return Start(checkpoint)


@functools.cache
def read_sounds(checkpoint: str, data: Path, work: Path) -> Sounds:
    """The 165 sounds as a start receives them; frames are cached in `work`."""
    start = read_start(checkpoint)

    def compute() -> dict[str, ArrayLike]:
        sounds = natural_sounds(data, work)
        categories = dict(sound_categories(data / FOLDER))
        return {
            "frames": torch.cat([start.frames(audio) for audio in sounds.audio]).numpy(),
            "responses": sounds.responses,
            "categories": [categories[Path(r.stimulus).stem] for r in sounds.prepared.runs],
            "components": sounds.components,
        }

    known = kept_arrays(work / f"frames-{start.hash[:16]}.npz", compute)
    return Sounds(
        torch.from_numpy(known["frames"]),
        known["responses"],
        tuple(known["categories"].tolist()),
        tuple(known["components"].tolist()),
    )
