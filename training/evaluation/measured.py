"""Measured responses, the targets that are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.prepared import Prepared, Run


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
        self.columns = [prepared.info.target_ids.index(target) for target in target_ids]

    def run(self, run: Run) -> NDArray[np.float32]:
        """Responses of a run, ``(n_trs, n_targets)``."""
        return self.prepared.bold(run)[:, self.columns]

    def together(self, runs: Sequence[Run]) -> NDArray[np.float32]:
        """Those of several runs, or sounds, one below the other."""
        return np.concatenate([self.run(run) for run in runs])
