"""Surrogate predictions: random changes of a run's prediction that unrelate it to BOLD.

See :mod:`training.statistics` for the choice among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]  # (n_trs, n_targets) where nothing else is said
Draws = NDArray[np.int64]
Null = Literal["circular_shift", "block_permutation", "phase_randomised", "shuffle"]

MIN_SHIFT = 1  # TRs; larger values are not calibrated, see CircularShift
BLOCK_TRS = 40  # TRs; a minute
SHORTEST = 4  # TRs: below it no frequency is free
TARGETS_IN_CACHE = 64  # keeps gathered data in the CPU cache


class Surrogates(Protocol):
    """A method of making surrogates of one run's prediction."""

    def n_possible(self, n_trs: int) -> float:
        """Number of distinct surrogates; ValueError if the run is too short for any."""

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[Any]:
        """The random part of `n_draws` surrogates, ``(n_draws, ...)``."""

    def surrogate(self, predicted: Table, draw: Any) -> Table:
        """Reference implementation: one surrogate, ``(n_trs, n_targets)``."""

    def cross_products(self, measured: Table, predicted: Table, draws: NDArray[Any]) -> Table:
        """Fast implementation: sums of measured times surrogate, ``(n_draws, n_targets)``."""


@dataclass(frozen=True)
class CircularShift:
    """Circular shift: the prediction is rotated within its run.

    Everything about the prediction is preserved (values, spectrum, covariance of targets) except
    its timing. It tests whether the prediction is better in place than at another time of the same
    run. There is one joint, where end and start meet.

    All shifts count, short ones too. It is tempting to exclude short shifts, as they score nearly
    as well as the prediction itself. But then the prediction's own position is the only one without
    its neighbours in the comparison, and is extreme by chance more often than its p value says: at
    .05 in 6 to 8 of 100 targets (benchmarks/calibration/results.md). With several runs, which are
    shifted independently, short shifts cost almost no power; with a single run they cost some at
    small levels.

    Attributes
    ----------
    min_shift : int
        Smallest shift in TRs, in either direction; 1 is calibrated, larger values make p values too
        small.

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

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> Draws:
        """Random shifts, ``(n_draws,)``."""
        shifts = self.shifts(n_trs)
        return generator.integers(shifts.start, shifts.stop, n_draws)

    def surrogate(self, predicted: Table, draw: Draws | np.int64) -> Table:
        return np.roll(predicted, int(draw), axis=0)

    def cross_products(self, measured: Table, predicted: Table, draws: Draws) -> Table:
        """All shifts at once: a circular cross-correlation is a product of Fourier transforms."""
        n_trs = len(measured)
        spectrum = np.fft.rfft(measured, axis=0) * np.conj(np.fft.rfft(predicted, axis=0))
        of_shifts: Table = np.fft.irfft(spectrum, n_trs, axis=0)
        return of_shifts[draws]


@dataclass(frozen=True)
class BlockPermutation:
    """Block permutation: the prediction is cut into blocks, which are reordered.

    Blocks stay intact, so that autocorrelation up to about the length of a block is preserved;
    slower fluctuations are broken up, and every joint of two blocks is a jump. It tests whether the
    prediction is better in place than with its blocks at other times of the same run. The remainder
    is a shorter block that is permuted like the others.

    Attributes
    ----------
    block_trs : int
        Length of a block: longer than the autocorrelation of both signals, and short enough for
        many orders.

    Examples
    --------
    >>> null = BlockPermutation(block_trs=2)
    >>> null.n_possible(5)
    6
    >>> null.surrogate(np.arange(5.0)[:, None], np.array([2, 0, 1]))[:, 0]
    array([4., 0., 1., 2., 3.])
    """

    block_trs: int

    def n_blocks(self, n_trs: int) -> int:
        """Number of blocks of a run, including the shorter one.

        Raises
        ------
        ValueError
            If there are fewer than two full ones.
        """
        if not 1 <= self.block_trs <= n_trs // 2:
            raise ValueError(
                f"a run of {n_trs} TRs has no two blocks of {self.block_trs} TRs; expected "
                f"block_trs of 1 to {n_trs // 2}: give shorter blocks, or leave runs out that are "
                "this short"
            )
        return -(-n_trs // self.block_trs)

    def n_possible(self, n_trs: int) -> int:
        """Number of orders of a run's blocks, including the original one."""
        return math.factorial(self.n_blocks(n_trs))

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> Draws:
        """Random orders, ``(n_draws, n_blocks)``: which block comes first, second, ..."""
        in_order = np.arange(self.n_blocks(n_trs))
        return generator.permuted(np.tile(in_order, (n_draws, 1)), axis=1)

    def surrogate(self, predicted: Table, draw: Draws) -> Table:
        starts = [block * self.block_trs for block in draw]
        return np.concatenate([predicted[start : start + self.block_trs] for start in starts])

    def cross_products(self, measured: Table, predicted: Table, draws: Draws) -> Table:
        # A block in slot s begins at TR s * block_trs or, after the shorter block, block_trs -
        # n_left TRs earlier. So all possible sums are in two tables of products, block by slot, and
        # a draw is a sum over slots.
        n_trs, n_targets = measured.shape
        n_whole, n_left = divmod(n_trs, self.block_trs)
        blocks = _blocks(predicted[: n_trs - n_left], n_whole)
        early = _blocks(measured[: n_trs - n_left], n_whole)
        n_blocks = n_whole + (n_left > 0)
        products = np.zeros((2, n_blocks, n_blocks, n_targets))  # short block passed, block, slot
        products[0, :n_whole, :n_whole] = _block_products(blocks, early)
        if n_left:
            late = _blocks(measured[n_left:], n_whole)
            products[1, :n_whole, 1:] = _block_products(blocks, late)
            for slot in range(n_blocks):
                start = slot * self.block_trs
                products[0, n_whole, slot] = (
                    measured[start : start + n_left] * predicted[n_trs - n_left :]
                ).sum(axis=0)
        is_late = np.zeros(len(draws), dtype=np.int64)
        total = np.zeros((len(draws), n_targets))
        for slot in range(n_blocks):
            total += products[is_late, draws[:, slot], slot]
            is_late |= (draws[:, slot] == n_whole).astype(np.int64)
        return total


def _blocks(table: Table, n_blocks: int) -> Table:
    """``(n_targets, n_blocks, block_trs)``."""
    return np.moveaxis(table.reshape(n_blocks, -1, table.shape[1]), 2, 0)


def _block_products(blocks: Table, slots: Table) -> Table:
    """``(n_blocks, n_slots, n_targets)``."""
    return np.moveaxis(blocks @ np.swapaxes(slots, 1, 2), 0, 2)


@dataclass(frozen=True)
class PhaseRandomisation:
    """Phase randomisation: noise with the spectrum of the prediction.

    Every frequency of the prediction keeps its amplitude and gets a random phase, shared by all
    targets, so that their covariance is preserved (Theiler et al. 1992; Prichard and Theiler 1994).
    It tests whether the prediction is better than another signal of equal smoothness. Values become
    Gaussian, so surrogates of a prediction with rare strong events do not resemble it.

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

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> Table:
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

    def surrogate(self, predicted: Table, draw: Table) -> Table:
        spectrum = np.fft.rfft(predicted, axis=0) * np.exp(1j * draw)[:, None]
        return np.asarray(np.fft.irfft(spectrum, len(predicted), axis=0))

    def cross_products(self, measured: Table, predicted: Table, draws: Table) -> Table:
        # By Parseval's theorem the sum over TRs is one over frequencies, where a phase is a factor:
        # one matrix product for all draws.
        n_trs = len(measured)
        spectrum = np.conj(np.fft.rfft(measured, axis=0)) * np.fft.rfft(predicted, axis=0)
        spectrum *= 2 / n_trs  # each frequency stands for itself and its negative,
        spectrum[0] /= 2  # but the mean
        if n_trs % 2 == 0:
            spectrum[-1] /= 2  # and the highest of an even number have none
        turned = np.concatenate([np.cos(draws), -np.sin(draws)], axis=1)
        return turned @ np.concatenate([spectrum.real, spectrum.imag])


@dataclass(frozen=True)
class Shuffle:
    """Shuffle: random permutation of the rows of the prediction.

    Valid for exchangeable rows, such as responses to separate sounds. Invalid for time series:
    shuffled predictions are white noise, and autocorrelated signals correlate by chance far more
    than white noise, so that p values are much too small.

    Examples
    --------
    >>> null = Shuffle()
    >>> null.n_possible(4)
    24
    >>> null.surrogate(np.arange(3.0)[:, None], np.array([2, 0, 1]))[:, 0]
    array([2., 0., 1.])
    """

    def n_possible(self, n_trs: int) -> int:
        """Number of orders, including the original one."""
        return math.factorial(n_trs)

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> Draws:
        """Random orders of the rows, ``(n_draws, n_trs)``."""
        return generator.permuted(np.tile(np.arange(n_trs), (n_draws, 1)), axis=1)

    def surrogate(self, predicted: Table, draw: Draws) -> Table:
        return predicted[draw]

    def cross_products(self, measured: Table, predicted: Table, draws: Draws) -> Table:
        cross = np.empty((len(draws), measured.shape[1]))
        for first in range(0, measured.shape[1], TARGETS_IN_CACHE):
            chunk = slice(first, first + TARGETS_IN_CACHE)
            y, p = (np.ascontiguousarray(table[:, chunk]) for table in (measured, predicted))
            for number, order in enumerate(draws):
                np.einsum("ti,ti->i", y, p[order], out=cross[number, chunk])
        return cross


def surrogates_of(
    null: Null, *, min_shift: int = MIN_SHIFT, block_trs: int = BLOCK_TRS
) -> Surrogates:
    """The surrogates of a null by its name.

    Raises
    ------
    ValueError
        If there is no such null.
    """
    match null:
        case "circular_shift":
            return CircularShift(min_shift)
        case "block_permutation":
            return BlockPermutation(block_trs)
        case "phase_randomised":
            return PhaseRandomisation()
        case "shuffle":
            return Shuffle()
    raise ValueError(f"expected a null of {', '.join(get_args(Null))}, got {null!r}")


def count_possible(surrogates: Surrogates, lengths: Sequence[int], same_draw: bool) -> float:
    """Number of distinct surrogates of all runs together; inf beyond the range of a float.

    Raises
    ------
    ValueError
        If a run is too short, or one draw is requested for runs of different lengths.
    """
    if same_draw and len(set(lengths)) > 1:
        raise ValueError(
            "one draw for all runs needs runs of equal length, got lengths of "
            f"{', '.join(map(str, sorted(set(lengths))))} TRs; cut them, or draw for each run"
        )
    of_runs = [surrogates.n_possible(n_trs) for n_trs in (lengths[:1] if same_draw else lengths)]
    if math.inf in of_runs or sum(math.log10(n) for n in of_runs) > 300:
        return math.inf
    return math.prod(of_runs)


def draw_surrogates(
    surrogates: Surrogates,
    lengths: Sequence[int],
    n_permutations: int,
    seed: int,
    same_draw: bool = False,
) -> Iterator[NDArray[Any]]:
    """The draws of :func:`null_scores`, run by run, ``(n_permutations, ...)`` each or all shifts.

    Raises
    ------
    ValueError
        If there are too few distinct ones and they cannot be enumerated.
    """
    n_possible = count_possible(surrogates, lengths, same_draw)
    if n_possible <= n_permutations:
        if not isinstance(surrogates, CircularShift):
            raise ValueError(
                f"{type(surrogates).__name__} has only {n_possible} different surrogates of "
                f"{len(lengths)} run(s) of {min(lengths)} to {max(lengths)} TRs, too few for "
                f"{n_permutations} permutations; ask for fewer than that, take shorter blocks, or "
                "the null 'circular_shift' or 'phase_randomised'"
            )
        yield from _all_shifts(surrogates, lengths, same_draw)
        return
    seeds = np.random.SeedSequence(seed).spawn(len(lengths))
    for number, n_trs in enumerate(lengths):
        generator = np.random.default_rng(seeds[0 if same_draw else number])
        yield surrogates.draw(n_trs, n_permutations, generator)


def _all_shifts(surrogates: CircularShift, lengths: Sequence[int], same_draw: bool) -> list[Draws]:
    """Every combination of the runs' shifts once."""
    shifts = [np.array(surrogates.shifts(n_trs)) for n_trs in lengths]
    if same_draw:
        return shifts
    grids = np.meshgrid(*shifts, indexing="ij")
    return [grid.ravel() for grid in grids]
