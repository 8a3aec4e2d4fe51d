"""Ten random halvings of the sounds, the same for all voxels, models and stages.

They are drawn as the authors' public code draws them (numpy's legacy generator with seed 0; for
each split a choice of 83 sounds to learn from, then a choice among the rest to test on): for the
165 sounds in the order of the published voxel archive these are the paper's own splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

N_SPLITS = 10


@dataclass(frozen=True)
class Split:
    """Numbers of the sounds that are learned from and that are tested on, each ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def random_splits(n_sounds: int, n_splits: int = N_SPLITS, *, seed: int = 0) -> list[Split]:
    """Different halvings; of an odd number of sounds the larger half is learned from.

    Parameters
    ----------
    n_sounds : int
        At least 6: correlations over fewer than three test sounds say nothing.
    n_splits : int
        How many.
    seed : int
        Equal seeds give equal splits.

    Raises
    ------
    ValueError
        If there are too few sounds, or fewer sounds or fewer different halvings than splits.

    Examples
    --------
    >>> splits = random_splits(165)
    >>> len(splits), len(splits[0].train), len(splits[0].test), splits[0].train[:3].tolist()
    (10, 83, 82, [2, 5, 7])
    """
    if n_sounds < 6:
        raise ValueError(f"expected at least 6 sounds to split in halves, got {n_sounds}")
    n_train = n_sounds - n_sounds // 2
    if n_splits < 1 or n_splits > min(n_sounds, comb(n_sounds, n_train)):
        raise ValueError(
            f"expected 1 to {min(n_sounds, comb(n_sounds, n_train))} splits of {n_sounds} sounds "
            f"(no more splits than sounds), got {n_splits}; ask for fewer splits"
        )
    generator = np.random.RandomState(seed)
    splits: list[Split] = []
    seen: set[bytes] = set()
    while len(splits) < n_splits:
        train = np.sort(generator.choice(n_sounds, size=n_train, replace=False))
        rest = np.setdiff1d(np.arange(n_sounds), train)
        test = np.sort(generator.choice(rest, size=n_sounds - n_train, replace=False))
        if train.tobytes() not in seen:
            seen.add(train.tobytes())
            splits.append(Split(train, test))
    return splits
