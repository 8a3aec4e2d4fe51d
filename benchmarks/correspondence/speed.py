"""Speed relative to ``sklearn.linear_model.RidgeCV``, measured in one process.

In its two uses: one for each voxel, and one for all with ``alpha_per_target=True``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.ridge import ALPHAS, compact_units, fit_ridge
from benchmarks.correspondence.splits import random_splits

N_SOUNDS, N_UNITS, N_VOXELS = 165, 1024, 5000
N_EVEN = 500  # voxels of the second measurement
N_ALONE = 500  # voxels fitted one by one; extrapolated to all
EQUAL = 1e-8


def measure_speed(
    n_voxels: int = N_VOXELS, n_units: int = N_UNITS, *, falling: bool = True, seed: int = 0
) -> dict[str, Any]:
    """One split: all voxels here and by one RidgeCV, some by a RidgeCV each.

    Units explain half of each voxel's variance, which is one.

    Parameters
    ----------
    n_voxels, n_units : int
        Sizes of the problem.
    falling : bool
        Whether the variance of the units falls over directions (the k-th as 1 / k), as in networks,
        or is constant. The latter is the hardest for scikit-learn's rounding.
    seed : int
        Seed of units and voxels.

    Returns
    -------
    dict
        Seconds of each method for all voxels, and the ratios to the time here; number of voxels in
        which the penalties of one RidgeCV for all are the same, differ without consequence
        (predictions equal to 1e-8) or differ; among the latter, the number in which explicit
        refitting without each sound favours the penalty selected here or ties; and the largest
        difference of predictions over the voxels with the same penalty.

    Examples
    --------
    >>> measure_speed(3, 200)["same penalty"]
    3
    """
    from sklearn.linear_model import RidgeCV

    generator = np.random.default_rng(seed)
    units = generator.standard_normal((N_SOUNDS, n_units))
    if falling:
        directions = generator.standard_normal((N_SOUNDS, N_SOUNDS))
        units = (directions / np.sqrt(np.arange(1, N_SOUNDS + 1))) @ generator.standard_normal(
            (N_SOUNDS, n_units)
        )
    units = np.maximum(units, 0)
    signal = units @ generator.standard_normal((n_units, n_voxels))
    noise = generator.standard_normal((N_SOUNDS, n_voxels))
    voxels = signal / signal.std(axis=0) + noise
    voxels = (voxels - voxels.mean(axis=0)) / voxels.std(axis=0)
    split = random_splits(N_SOUNDS)[0]
    units_of_train, voxels_of_train = units[split.train], voxels[split.train]

    began = time.perf_counter()
    fit = fit_ridge(compact_units(units), voxels, split)
    ours = time.perf_counter() - began

    began = time.perf_counter()
    model = RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(units_of_train, voxels_of_train)
    predicted = model.predict(units[split.test])
    for_all = time.perf_counter() - began
    alphas = model.alpha_

    n_alone = min(n_voxels, N_ALONE)
    began = time.perf_counter()
    for voxel in range(n_alone):
        model = RidgeCV(alphas=ALPHAS).fit(units_of_train, voxels_of_train[:, voxel])
        model.predict(units[split.test])
    one_by_one = (time.perf_counter() - began) * n_voxels / n_alone

    same = alphas == fit.alphas
    difference = np.abs(predicted - fit.predicted - fit.train_means).max(axis=0)
    differ = np.flatnonzero(~same & (difference > EQUAL))
    confirmed = [
        refit_error(units_of_train, voxels_of_train[:, voxel], fit.alphas[voxel])
        <= refit_error(units_of_train, voxels_of_train[:, voxel], alphas[voxel]) * (1 + EQUAL)
        for voxel in differ
    ]
    return {
        "variance of units": "falling" if falling else "even",
        "voxels": n_voxels,
        "units": n_units,
        "RidgeCV per voxel (s)": one_by_one,
        "one RidgeCV (s)": for_all,
        "here (s)": ours,
        "times faster": one_by_one / ours,
        "than one RidgeCV": for_all / ours,
        "same penalty": int(same.sum()),
        "other penalty, same prediction": int((~same).sum()) - len(differ),
        "other prediction": len(differ),
        "of these as good or better by refitting": sum(confirmed),
        "largest difference at the same penalty": float(difference[same].max(initial=0)),
    }


def refit_error(
    units: NDArray[np.floating], responses: NDArray[np.floating], alpha: float
) -> float:
    """Mean squared leave-one-out error by brute force: the model is refitted without each sound.

    Units are ``(n_sounds, n_units)``. Below 1e-8 of their variance the penalty no longer changes
    the fit, and that value is used.
    """
    from sklearn.linear_model import Ridge

    left, sizes, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    units = left * sizes  # rotated without changing predictions: as many units as sounds
    least = 1e-8 * float(units.var(axis=0).mean()) * len(units)
    errors = []
    for i in range(len(units)):
        others = np.arange(len(units)) != i
        model = Ridge(alpha=max(alpha, least), solver="svd").fit(units[others], responses[others])
        errors.append(responses[i] - model.predict(units[i : i + 1])[0])
    return float(np.mean(np.square(errors)))


def speed_document() -> dict[str, Any]:
    """The document for the results page."""
    from sklearn import __version__

    rows = [measure_speed(), measure_speed(N_EVEN, falling=False)]
    largest = max(row.pop("largest difference at the same penalty") for row in rows)
    return {
        "title": "Ridge regression: all voxels at once, against scikit-learn",
        "seeds": {"voxels": [0]},
        "rows": rows,
        "notes": [
            f"One split of {N_SOUNDS} sounds, {len(ALPHAS)} penalties from 1e-50 to 1e49, all in "
            f"one process and one run. A RidgeCV for each voxel: the time of {N_ALONE} voxels, in "
            "proportion. One RidgeCV: `alpha_per_target=True`, which chooses a penalty for each "
            "voxel as well. Rotating the units is counted here, though it serves all ten splits.",
            f"At the same penalty predictions differ by {largest:.1e} at most, for responses of "
            "standard deviation 1.",
            "Other penalty, same prediction (to 1e-8): the best penalty lies beyond all "
            "eigenvalues, where errors are equal to the last digit and rounding decides.",
            f"Other prediction: scikit-learn {__version__} took a penalty below its own rounding "
            "(see benchmarks/correspondence/ridge.py), or errors of several penalties agree to "
            "8 digits; refitting without each sound says whose choice is as good or better. How "
            "often this happens depends on the units; where variances are even it is no rare case.",
        ],
        "versions": {"scikit-learn": __version__},
    }
