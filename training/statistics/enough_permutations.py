"""Number of surrogates required for significance after a correction over targets."""

from __future__ import annotations

import math

from training.statistics.corrections import Correction, harmonic
from training.statistics.p_values import smallest_p

ROUNDING = 1e-9  # numbers that differ by less are equal


def permutations_needed(level: float, n_tests: int, correction: Correction) -> int:
    """Number of surrogates required for a single target among `n_tests` to be significant.

    Parameters
    ----------
    level : float
        Level of the false discovery or error rate, for example .05.
    n_tests : int
        Number of targets.
    correction : str
        {"bh", "by", "fwe", "none"}.

    Examples
    --------
    >>> [permutations_needed(0.05, 210, each) for each in ("none", "fwe", "bh", "by")]
    [19, 19, 4199, 24892]
    """
    return max(1, math.ceil(_penalty(n_tests, correction) / level - 1 - ROUNDING))


def check_permutations(
    n_permutations: int, level: float, n_tests: int, correction: Correction
) -> str:
    """A note for the reader if surrogates are too few for a single target.

    Parameters
    ----------
    n_permutations : int
        Number of surrogates.
    level, n_tests, correction
        As in :func:`permutations_needed`.

    Returns
    -------
    sentence : str
        Empty if they suffice.

    Raises
    ------
    ValueError
        If they are so few that nothing can be significant, even if every target were.

    Examples
    --------
    >>> check_permutations(5000, 0.05, 210, "bh")
    ''
    >>> check_permutations(999, 0.05, 210, "bh")[:39]
    '999 permutations allow no p below 0.001'
    """
    needed = permutations_needed(level, n_tests, correction)
    if n_permutations >= needed:
        return ""
    least = smallest_p(n_permutations)
    together = math.ceil(least * _penalty(n_tests, correction) / level - ROUNDING)
    start = f"{n_permutations} permutations allow no p below {least:.3g}; "
    where = f"after correction ({correction}) over {n_tests} targets at level {level:g} "
    if together > n_tests or correction in ("fwe", "none"):
        raise ValueError(
            f"{start}{where}nothing could ever be significant; make at least {needed} permutations"
        )
    return (
        f"{start}{where}a target can be significant only together with others, {together} at "
        f"least; {needed} permutations would let a single one be"
    )


def _penalty(n_tests: int, correction: Correction) -> float:
    """Factor that the correction applies to the smallest of `n_tests` p values."""
    match correction:
        case "bh":
            return float(n_tests)
        case "by":
            return n_tests * harmonic(n_tests)
        case "fwe" | "none":
            return 1.0
    raise ValueError(f"expected a correction of 'bh', 'by', 'fwe' or 'none', got {correction!r}")
