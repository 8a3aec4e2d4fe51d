"""Measured responses, the targets that are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.prepared import Prepared, Run


def columns_of(known: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Where each of some target ids stands among others; quick for ten thousands of them.

    Examples
    --------
    >>> columns_of([3, 5, 9], [9, 3])
    [2, 0]
    """
    place = {target: column for column, target in enumerate(known)}
    return [place[target] for target in wanted]


class Measured:
    """Reads responses of a dataset, the columns of some targets; keeps nothing.

    Parameters
    ----------
    prepared : Prepared
        The dataset.
    target_ids : sequence of int
        Of the columns; all must be in the dataset.
    """

    def __init__(self, prepared: Prepared, target_ids: Sequence[int]) -> None:
        self.prepared = prepared
        self.columns = columns_of(prepared.info.target_ids, target_ids)

    def run(self, run: Run) -> NDArray[np.float32]:
        """Responses of a run, ``(n_trs, n_targets)``."""
        return self.prepared.bold(run)[:, self.columns]

    def together(self, runs: Sequence[Run]) -> NDArray[np.float32]:
        """Those of several runs, or sounds, one below the other."""
        return np.concatenate([self.run(run) for run in runs])
