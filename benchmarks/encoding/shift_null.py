"""Is a correlation of two slow time courses more than chance? Shifted predictions tell.

A prediction that is turned round in a circle by `s` TRs keeps its spectrum and its values but is
beside the time at which the brain heard. With the correlations `r_s` of all shifts that are at
least `shortest` TRs away from none in both directions,

    p = (1 + #{ s : r_s >= r }) / (1 + n_shifts)

(one-sided; at least ``1 / (1 + n_shifts)``). For a mean over listeners the same shift is applied to
all of them, who heard the same sound at the same time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.scores import pearson_r

Responses = NDArray[np.floating]  # (n_listeners, n_trs, n_targets)


def shifts_of(n_trs: int, shortest: int) -> range:
    """All shifts that are at least `shortest` TRs from none, either way round.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> shifts_of(8, shortest=3)
    range(3, 6)
    """
    shifts = range(shortest, n_trs - shortest + 1)
    if shortest < 1 or not shifts:
        raise ValueError(
            f"no shift of at least {shortest} TRs exists in {n_trs}; expected 1 to {n_trs // 2}"
        )
    return shifts


def shifted_r(
    measured: Responses, predicted: Responses, shortest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pearson's r of predictions in place, and of shifted ones.

    Parameters
    ----------
    measured, predicted : ndarray
        ``(n_listeners, n_trs, n_targets)``.
    shortest : int
        The least shift in TRs.

    Returns
    -------
    r : ndarray
        ``(n_listeners, n_targets)``.
    null : ndarray
        ``(n_shifts, n_listeners, n_targets)``.
    """
    shifts = shifts_of(measured.shape[1], shortest)
    null = [_r(measured, np.roll(predicted, shift, axis=1)) for shift in shifts]
    return _r(measured, predicted), np.stack(null)


def p_value(observed: float, null: NDArray[np.floating]) -> float:
    """``(1 + #{null >= observed}) / (1 + n)``.

    Examples
    --------
    >>> p_value(0.3, np.array([0.1, 0.4, 0.2]))
    0.5
    """
    return float((1 + np.sum(np.asarray(null) >= observed)) / (1 + len(null)))


def _r(measured: Responses, predicted: Responses) -> NDArray[np.float64]:
    return np.stack([pearson_r(y, p) for y, p in zip(measured, predicted, strict=True)])
