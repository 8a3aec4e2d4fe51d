"""Measured responses of the scored targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Prepared, Run
from training.scores import TARGETS_AT_ONCE

EVERY = slice(None)  # target


def columns_of(known: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Positions of target ids within others; fast for tens of thousands.

    Examples
    --------
    >>> columns_of([3, 5, 9], [9, 3])
    [2, 0]
    """
    place = {target: column for column, target in enumerate(known)}
    return [place[target] for target in wanted]


class Measured:
    """Reader of a dataset's responses, restricted to some targets; nothing is cached.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    target_ids : sequence of int
        Ids of the columns; all must be in the dataset.
    """

    def __init__(self, prepared: Prepared, target_ids: Sequence[int]) -> None:
        self.prepared = prepared
        self.columns = columns_of(prepared.info.target_ids, target_ids)

    def blocks(self) -> list[slice]:
        """The targets in blocks: what is computed block by block needs no memory for all."""
        n_targets = len(self.columns)
        starts = range(0, n_targets, TARGETS_AT_ONCE)
        return [slice(first, min(first + TARGETS_AT_ONCE, n_targets)) for first in starts]

    def run(self, run: Run, targets: slice = EVERY) -> NDArray[np.float32]:
        """Responses of a run, ``(n_trs, n_targets)``."""
        return self.prepared.bold(run)[:, self.columns[targets]]

    def together(self, runs: Sequence[Run], targets: slice = EVERY) -> NDArray[np.float32]:
        """Concatenated responses of several runs, or of all sounds."""
        return np.concatenate([self.run(run, targets) for run in runs])
