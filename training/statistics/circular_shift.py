"""Circular shift: the prediction is rotated within its run.

Everything about the prediction is preserved (values, spectrum, covariance of targets) except its
timing; BOLD is unchanged. It tests whether the prediction is better in place than at another time
of the same run. There is one joint, where end and start meet.

All shifts count, short ones too. It is tempting to exclude short shifts, as they score nearly as
well as the prediction itself. But then the prediction's own position is the only one without its
neighbours in the comparison, and is extreme by chance more often than its p value says: at .05 in 6
to 8 of 100 targets (benchmarks/calibration/results.md). With several runs, which are shifted
independently, short shifts cost almost no power; with a single run they cost some at small levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CircularShift:
    """Shifts of at least `min_shift` TRs in either direction; see the module docstring.

    Attributes
    ----------
    min_shift : int
        In TRs; 1 is calibrated, larger values make p values too small, see above.

    Examples
    --------
    >>> null = CircularShift(min_shift=2)
    >>> null.n_possible(6)
    3
    >>> null.surrogate(np.arange(6.0)[:, None], np.int64(2))[:, 0]
    array([4., 5., 0., 1., 2., 3.])
    """

    min_shift: int

    def shifts(self, n_trs: int) -> range:
        """All shifts of a run.

        Raises
        ------
        ValueError
            If there are none.
        """
        shifts = range(self.min_shift, n_trs - self.min_shift + 1)
        if self.min_shift < 1 or not shifts:
            raise ValueError(
                f"a run of {n_trs} TRs cannot be shifted by at least {self.min_shift} TRs either "
                f"way; expected a min_shift of 1 to {n_trs // 2}: give a smaller one, or leave "
                "runs out that are this short"
            )
        return shifts

    def n_possible(self, n_trs: int) -> int:
        """Number of distinct surrogates of a run."""
        return len(self.shifts(n_trs))

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Random shifts, ``(n_draws,)``."""
        shifts = self.shifts(n_trs)
        return generator.integers(shifts.start, shifts.stop, n_draws)

    def surrogate(
        self, predicted: NDArray[np.float64], draw: NDArray[np.int64] | np.int64
    ) -> NDArray[np.float64]:
        """The surrogate of one draw, ``(n_trs, n_targets)``."""
        return np.roll(predicted, int(draw), axis=0)

    def cross_products(
        self,
        measured: NDArray[np.float64],
        predicted: NDArray[np.float64],
        draws: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """``sum_t measured[t] surrogate[t]`` per draw and target, ``(n_draws, n_targets)``.

        All shifts at once: a circular cross-correlation is a product of Fourier transforms.
        """
        n_trs = len(measured)
        spectrum = np.fft.rfft(measured, axis=0) * np.conj(np.fft.rfft(predicted, axis=0))
        of_shifts: NDArray[np.float64] = np.fft.irfft(spectrum, n_trs, axis=0)
        return of_shifts[draws]
