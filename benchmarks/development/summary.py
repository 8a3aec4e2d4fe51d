"""Aggregate score over tasks, and its standard error.

The unit is the log odds, ln(correct / incorrect), with half a clip added to each: a step from .50
to .62 counts as much as one from .90 to .94. It is averaged over the tasks of a field, then over
fields, so that four word tasks do not outweigh one speaker task.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

FIELDS: Mapping[str, tuple[str, ...]] = {
    "sounds": ("kind", "event"),
    "speakers": ("speaker",),
    "words": ("phrase", "letter", "word", "word_telephone", "word_few"),
    "notes": ("instrument", "note"),
}

Answers = Mapping[str, NDArray[np.bool_]]  # by task, correctness of each clip


def log_odds(answers: NDArray[np.bool_]) -> float:
    """Log odds of a correct answer.

    Examples
    --------
    >>> log_odds(np.array([True, False])), round(log_odds(np.repeat([True, False], [75, 25])), 2)
    (0.0, 1.09)
    """
    right = int(np.sum(answers))
    return float(np.log((right + 0.5) / (len(answers) - right + 0.5)))


def overall(answers: Answers) -> float:
    """Mean of the fields' means; tasks and fields not measured do not count.

    Raises
    ------
    ValueError
        If no task of any field was measured.
    """
    return sum(weight * log_odds(answers[task]) for task, weight in weights(answers).items())


def difference(answers: Answers, reference: Answers) -> tuple[float, float]:
    """Difference to another candidate over the common tasks, and its standard error.

    Returns
    -------
    difference, standard_error : float
        In log odds. The error is over clips, paired between candidates (so that the difficulty of
        clips cancels), by the delta method.

    Examples
    --------
    >>> better = np.repeat([True, False], [60, 40])
    >>> difference({"kind": better}, {"kind": better})
    (0.0, 0.0)
    """
    own = weights({task: each for task, each in answers.items() if task in reference})
    found, variance = 0.0, 0.0
    for task, weight in own.items():
        mine, other = answers[task], reference[task]
        found += weight * (log_odds(mine) - log_odds(other))
        influences = [(each - each.mean()) / _slope(each) for each in (mine, other)]
        variance += weight**2 * float(np.var(influences[0] - influences[1])) / len(mine)
    return found, variance**0.5


def weights(answers: Answers) -> dict[str, float]:
    """Weight of each measured task in the mean.

    Raises
    ------
    ValueError
        If there are none.

    Examples
    --------
    >>> weights({"kind": np.ones(1, bool), "event": np.ones(1, bool), "speaker": np.ones(1, bool)})
    {'kind': 0.25, 'event': 0.25, 'speaker': 0.5}
    """
    fields = [[task for task in own if task in answers] for own in FIELDS.values()]
    fields = [own for own in fields if own]
    if not fields:
        known = ", ".join(task for own in FIELDS.values() for task in own)
        raise ValueError(f"expected development tasks ({known}), found none; make them first")
    return {task: 1 / (len(fields) * len(own)) for own in fields for task in own}


def _slope(answers: NDArray[np.bool_]) -> float:
    """Derivative of the fraction correct by log odds, bounded away from 0."""
    share = (np.sum(answers) + 0.5) / (len(answers) + 1)
    return float(share * (1 - share))
