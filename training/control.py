"""The control that has learned from the wrong brain: responses that belong to other sounds.

With ``control: permuted_brain`` the runs of the train and validation sides keep their sounds and
get the responses of other runs of the same subject. All that makes a fit look good without any
relation between sound and brain stays (number of parameters, early stopping, the spectrum of BOLD,
how targets go together); the relation is gone. The test side stays as it was measured, so that a
model which is fitted in this way shows what all this is worth there.

Two things to know. What all runs share stays, such as the response to their onset, and is learned.
And one control is one draw: where a single property of sound, say its level, moves most of the
brain, a model of permuted responses follows it with a random sign and scores well above or below 0
in all targets at once. Fit several (``seed``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from training.prepared import Run
from training.splits import Split

logger = logging.getLogger(__name__)

Control = Literal["none", "permuted_brain"]


@dataclass(frozen=True)
class Donor:
    """Whose responses a run gets.

    Attributes
    ----------
    run : Run
        Of the same subject and side.
    shift : int
        TRs by which they are turned round; above 0 where a run has only its own responses.
    """

    run: Run
    shift: int = 0


def permuted_brain(split: Split, seed: int) -> tuple[Split, dict[Run, Donor]]:
    """The split with donors for the runs of its train and validation sides.

    Sounds are put into a random circle and each gets the responses to the next one: never its own,
    also where a subject heard it several times. Subjects who heard the same sounds get the same
    circle, so that what they share stays shared. A run of another length than its donor is cut to
    the shorter of both. A subject with one sound only on a side keeps its responses there, turned
    round by half the run.

    Parameters
    ----------
    split : Split
        As measured.
    seed : int
        Equal seeds give equal donors.

    Raises
    ------
    ValueError
        If a subject has a single sound without a time axis on a side.

    Examples
    --------
    >>> run = Run("sub-01", "a", "a", "", "a", "", 0.0, 1.49, 10)
    >>> runs = [run, replace(run, name="b", stimulus="b", n_trs=8)]
    >>> split, donors = permuted_brain(Split(tuple(runs), (run,), ()), seed=0)
    >>> [(run.n_trs, donors[run].run.name) for run in split.train]
    [(8, 'b'), (8, 'a')]
    >>> donors[split.validation[0]].shift
    5
    """
    donors: dict[Run, Donor] = {}
    sides: dict[str, tuple[Run, ...]] = {}
    for number, side in enumerate(("train", "validation")):
        pairs = _donors_of_side(getattr(split, side), np.random.SeedSequence([seed, number]))
        cut = {run: replace(run, n_trs=min(run.n_trs, pairs[run].run.n_trs)) for run in pairs}
        donors.update({cut[run]: donor for run, donor in pairs.items()})
        sides[side] = tuple(cut.values())
    return Split(sides["train"], sides["validation"], split.test), donors


def _donors_of_side(runs: Sequence[Run], seed: np.random.SeedSequence) -> Mapping[Run, Donor]:
    donors = {}
    for subject in dict.fromkeys(run.subject for run in runs):
        presentations: dict[tuple[str, float], list[Run]] = {}
        for run in runs:
            if run.subject == subject:
                presentations.setdefault((run.stimulus, run.start), []).append(run)
        sounds = sorted(presentations)
        order = np.random.default_rng(seed).permutation(len(sounds))
        following = dict(zip(order, np.roll(order, -1), strict=True))
        for place, sound in enumerate(sounds):
            others = presentations[sounds[following[place]]]
            for number, run in enumerate(presentations[sound]):
                alone = len(sounds) == 1
                donors[run] = (
                    Donor(run, _half(run)) if alone else Donor(others[number % len(others)])
                )
        if len(sounds) == 1:
            logger.warning(
                "permuted_brain: %s has one sound only on a side; its responses are turned round "
                "by half the run",
                subject,
            )
    return {run: donors[run] for run in runs}


def _half(run: Run) -> int:
    if run.n_trs < 2:
        raise ValueError(
            f"control permuted_brain: {run.subject} has a single response on a side, {run.name}, "
            "and no other to exchange it with; hold out more sounds for validation"
        )
    return run.n_trs // 2
