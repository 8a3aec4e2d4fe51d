"""Cross-validation folds within the training runs: whole episodes if there are several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

N_FOLDS = 5

Folds = list[tuple[NDArray[np.int_], NDArray[np.int_]]]


def folds_by_episode(episodes: Sequence[str]) -> Folds:
    """Up to five folds of whole episodes; of consecutive rows if there is one episode.

    Parameters
    ----------
    episodes : sequence of str
        The episode of each row.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    from sklearn.model_selection import GroupKFold, KFold

    rows, n_episodes = np.zeros(len(episodes)), len(set(episodes))
    if len(episodes) < 2:
        raise ValueError(f"cross-validation needs 2 rows or more, got {len(episodes)}")
    if n_episodes > 1:
        return list(GroupKFold(min(N_FOLDS, n_episodes)).split(rows, groups=list(episodes)))
    return list(KFold(min(N_FOLDS, len(episodes))).split(rows))
