"""Scanner and physiological noise: autocorrelated noise, drift, motion, physiology."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HIGH_PASS = 128.0  # seconds; fMRIPrep's cosines cover slower signals


def autoregressive(
    n_trs: int, rho: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Stationary AR(1) noise of variance 1, ``(n_trs, n_targets)``.

    Parameters
    ----------
    n_trs : int
        Number of rows.
    rho : array
        Autocorrelation at a lag of one TR per target, ``(n_targets,)``, in (-1, 1).

    Examples
    --------
    >>> noise = autoregressive(5000, np.array([0.4]), np.random.default_rng(0))
    >>> bool(abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1] - 0.4) < 0.05)
    True
    """
    noise = generator.standard_normal((n_trs, len(rho)))
    innovation = np.sqrt(1 - rho**2)
    for t in range(1, n_trs):
        noise[t] = rho * noise[t - 1] + innovation * noise[t]
    return noise


def slow_cosines(n_trs: int, tr: float) -> NDArray[np.float64]:
    """fMRIPrep's discrete cosines slower than 128 s, ``(n_trs, n_cosines)``.

    Examples
    --------
    >>> slow_cosines(400, 1.49).shape
    (400, 9)
    """
    n_cosines = int(np.floor(2 * n_trs * tr / HIGH_PASS))
    times = (np.arange(n_trs) + 0.5) / n_trs
    orders = np.arange(1, n_cosines + 1)
    return np.asarray(np.sqrt(2 / n_trs) * np.cos(np.pi * times[:, None] * orders))


def head_motion(n_trs: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Three shifts in mm and three rotations in rad, ``(n_trs, 6)``: slow wandering and jerks."""
    wandering = np.cumsum(0.005 * generator.standard_normal((n_trs, 6)), axis=0)
    jerks = generator.standard_normal((n_trs, 6)) * (generator.random((n_trs, 1)) < 0.02)
    motion = (
        wandering + np.cumsum(0.1 * jerks, axis=0) + 0.02 * generator.standard_normal((n_trs, 6))
    )
    motion[:, 3:] /= 50  # a head of 50 mm radius (Power et al. 2012)
    return np.asarray(motion)


def framewise_displacement(motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Framewise displacement (Power et al. 2012) in mm, ``(n_trs,)``; 0 for the first TR."""
    steps = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    return np.asarray(steps[:, :3].sum(axis=1) + 50 * steps[:, 3:].sum(axis=1))


def unit_variance(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column with mean 0 and standard deviation 1; a constant column becomes 0."""
    centred = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.asarray(centred / np.where(deviation > 0, deviation, 1))
