"""Phase randomisation: surrogate noise with the spectrum of the prediction.

Every frequency of the prediction keeps its amplitude and gets a random phase, shared by all
targets, so that their covariance is preserved (Theiler et al. 1992; Prichard and Theiler 1994). It
tests whether the prediction is better than another signal of equal smoothness. Values become
Gaussian, so surrogates of a prediction with rare strong events do not resemble it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST = 4  # TRs: below it no frequency is free


@dataclass(frozen=True)
class PhaseRandomisation:
    """Surrogates with the amplitude spectrum of the prediction; see the module docstring.

    Examples
    --------
    >>> null = PhaseRandomisation()
    >>> null.draw(6, 2, np.random.default_rng(0)).shape
    (2, 4)
    """

    def n_possible(self, n_trs: int) -> float:
        """Unlimited number of surrogates.

        Raises
        ------
        ValueError
            If the run is too short.
        """
        if n_trs < SHORTEST:
            raise ValueError(
                f"a run of {n_trs} TRs has no free phase; expected at least {SHORTEST} TRs"
            )
        return math.inf

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Random phases in radians, ``(n_draws, n_trs // 2 + 1)``.

        The mean keeps its sign. With an even number of TRs the highest frequency is real, so that
        only its sign can change, with probability one half; any other phase would change its
        amplitude.
        """
        phases = generator.uniform(0, 2 * np.pi, (n_draws, n_trs // 2 + 1))
        phases[:, 0] = 0
        if n_trs % 2 == 0:
            phases[:, -1] = np.where(phases[:, -1] < np.pi, 0, np.pi)
        return phases

    def surrogate(
        self, predicted: NDArray[np.float64], draw: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The surrogate of one draw, ``(n_trs, n_targets)``."""
        spectrum = np.fft.rfft(predicted, axis=0) * np.exp(1j * draw)[:, None]
        return np.asarray(np.fft.irfft(spectrum, len(predicted), axis=0))

    def cross_products(
        self,
        measured: NDArray[np.float64],
        predicted: NDArray[np.float64],
        draws: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """``sum_t measured[t] surrogate[t]`` per draw and target, ``(n_draws, n_targets)``.

        By Parseval's theorem the sum over TRs is one over frequencies, where a phase is a factor:
        one matrix product for all draws.
        """
        n_trs = len(measured)
        spectrum = np.conj(np.fft.rfft(measured, axis=0)) * np.fft.rfft(predicted, axis=0)
        spectrum *= 2 / n_trs  # each frequency stands for itself and its negative,
        spectrum[0] /= 2  # but the mean
        if n_trs % 2 == 0:
            spectrum[-1] /= 2  # and the highest of an even number have none
        turned = np.concatenate([np.cos(draws), -np.sin(draws)], axis=1)
        return turned @ np.concatenate([spectrum.real, spectrum.imag])
