"""Ten random halvings of the sounds, shared by all voxels, models and stages.

They are drawn as in the authors' public code (numpy's legacy generator with seed 0; for each split
a choice of 83 training sounds, then a choice among the rest as test sounds): for the 165 sounds in
the order of the published voxel archive these are the paper's own splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

N_SPLITS = 10


@dataclass(frozen=True)
class Split:
    """Indices of the training and test sounds, each ascending."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def random_splits(n_sounds: int, n_splits: int = N_SPLITS, *, seed: int = 0) -> list[Split]:
    """Distinct halvings; with an odd number of sounds the larger half is the training set.

    Parameters
    ----------
    n_sounds : int
        At least 6: correlations over fewer than three test sounds are meaningless.
    n_splits : int
        Number of splits.
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
