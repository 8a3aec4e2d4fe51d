"""Null distributions: scores of surrogate predictions unrelated to BOLD.

BOLD is unchanged; surrogates are made of the prediction within each run, drawn independently for
every run, and shared by all targets: so the scores of targets covary as in the data, and the
maximum over targets has the right distribution (family-wise correction).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from training.statistics.block_permutation import BlockPermutation
from training.statistics.circular_shift import CircularShift
from training.statistics.moments import (
    Moments,
    Runs,
    ScoreName,
    centred,
    check_runs,
    concatenate,
)
from training.statistics.phase_randomisation import PhaseRandomisation
from training.statistics.pooling import (
    Pooling,
    check_choice,
    from_pooled_scale,
    pooled_scores,
    to_pooled_scale,
)
from training.statistics.shuffle import Shuffle

Null = Literal["circular_shift", "block_permutation", "phase_randomised", "shuffle"]

MIN_SHIFT = 1  # TRs; larger values are not calibrated, see circular_shift.py
BLOCK_TRS = 40  # TRs; a minute
TARGETS_AT_ONCE = 512  # bounds the memory of one run's surrogates


class Surrogates(Protocol):
    """A method of making surrogates of one run's prediction."""

    def n_possible(self, n_trs: int) -> float:
        """Number of distinct surrogates; ValueError if the run is too short for any."""

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[Any]:
        """The random part of `n_draws` surrogates, ``(n_draws, ...)``."""

    def surrogate(self, predicted: NDArray[np.float64], draw: Any) -> NDArray[np.float64]:
        """Reference implementation: one surrogate, ``(n_trs, n_targets)``."""

    def cross_products(
        self,
        measured: NDArray[np.float64],
        predicted: NDArray[np.float64],
        draws: NDArray[Any],
    ) -> NDArray[np.float64]:
        """Fast implementation: sums of measured times surrogate, ``(n_draws, n_targets)``."""


@dataclass(frozen=True)
class NullScores:
    """Scores of the prediction and of its surrogates.

    Attributes
    ----------
    observed : ndarray
        ``(n_targets,)``; NaN for targets without a score.
    null : ndarray
        ``(n_permutations, n_targets)``. May have fewer rows than requested, see
        :func:`null_scores`.
    n_possible : int or float
        Number of distinct surrogates of all runs together; inf if uncountable.
    """

    observed: NDArray[np.float64]
    null: NDArray[np.float64]
    n_possible: float

    @property
    def n_permutations(self) -> int:
        """Number of surrogates scored."""
        return len(self.null)


def null_scores(
    runs: Runs,
    *,
    null: Null,
    score: ScoreName = "r",
    pooling: Pooling = "mean",
    n_permutations: int = 1000,
    seed: int = 0,
    min_shift: int = MIN_SHIFT,
    block_trs: int = BLOCK_TRS,
    same_draw: bool = False,
) -> NullScores:
    """Score a prediction and its surrogates, pooled over runs in the same way.

    Parameters
    ----------
    runs : sequence of (measured, predicted)
        ``(n_trs, n_targets)`` each; a column with NaN is a target missing in the run.
    null : str
        {"circular_shift", "block_permutation", "phase_randomised", "shuffle"}: see
        :mod:`training.statistics`.
    score, pooling : str
        As in :func:`training.statistics.pooled_scores`.
    n_permutations : int
        Number of surrogates. If there are fewer distinct circular shifts (a single short run), each
        of them is scored once and `null` has as many rows.
    seed : int
        Equal seeds give equal surrogates.
    min_shift : int
        Minimal circular shift in TRs; more than 1 makes p values too small.
    block_trs : int
        Length of a block in TRs.
    same_draw : bool
        Use one surrogate for all runs: for runs with the same stimulus and length (several
        listeners, repeats), whose BOLD signals covary.

    Raises
    ------
    ValueError
        If shapes or names are wrong, a run is too short, or there are fewer block orders or
        shuffles than `n_permutations`.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> runs = [tuple(generator.standard_normal((2, 200, 3))) for _ in range(4)]
    >>> scores = null_scores(runs, null="circular_shift", n_permutations=99)
    >>> scores.observed.shape, scores.null.shape, scores.n_possible
    ((3,), (99, 3), 1568239201)
    """
    check_choice(score, pooling)
    check_runs(runs)
    if n_permutations < 1:
        raise ValueError(f"expected at least 1 permutation, got {n_permutations}")
    surrogates = surrogates_of(null, min_shift=min_shift, block_trs=block_trs)
    lengths = [len(measured) for measured, _ in runs]
    n_possible = count_possible(surrogates, lengths, same_draw)
    n_draws = int(min(n_permutations, n_possible))
    n_targets = np.shape(runs[0][0])[1]
    total, count = np.zeros((n_draws, n_targets)), np.zeros(n_targets)
    moments: list[Moments] = []
    draws_of_runs = draw_surrogates(surrogates, lengths, n_permutations, seed, same_draw)
    for run, draws in zip(runs, draws_of_runs, strict=True):
        of_run, measured, predicted = centred(run)
        moments.append(of_run)
        for first in range(0, n_targets, TARGETS_AT_ONCE):
            chunk = slice(first, first + TARGETS_AT_ONCE)
            cross = surrogates.cross_products(measured[:, chunk], predicted[:, chunk], draws)
            if pooling == "concatenated":
                total[:, chunk] += cross
                continue
            scores = of_run.part(chunk).scores(cross, score)
            known = ~np.isnan(scores[0])
            total[:, chunk] += np.where(known, to_pooled_scale(scores, pooling), 0.0)
            count[chunk] += known
    if pooling == "concatenated":
        whole, between = concatenate(moments)
        pooled = whole.scores(total + between, score)
    else:
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        pooled = from_pooled_scale(mean, pooling)
    return NullScores(pooled_scores(runs, score, pooling), pooled, n_possible)


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


def _all_shifts(
    surrogates: CircularShift, lengths: Sequence[int], same_draw: bool
) -> list[NDArray[np.int64]]:
    """Every combination of the runs' shifts once."""
    shifts = [np.array(surrogates.shifts(n_trs)) for n_trs in lengths]
    if same_draw:
        return shifts
    grids = np.meshgrid(*shifts, indexing="ij")
    return [grid.ravel() for grid in grids]
