"""Control condition: responses permuted between stimuli.

With ``control: permuted_brain`` training and validation runs keep their stimuli and
get the responses of other runs of the same subject. This keeps everything that affects a fit apart
from the relation between stimulus and response (number of parameters, early stopping, the spectrum
of BOLD, correlations of targets). Test runs are not permuted, so that the score shows the
contribution of these factors.

The control must be trained as long as the model it is compared with. Early stopping on permuted
validation responses often keeps the initial weights, and such a control equals the model before any
fit: it shows nothing. So set `optimiser.max_epochs` to the epoch that the model has kept,
``optimiser.keep: last``, and `optimiser.plateau_patience` above it.

Two caveats. Components shared by all runs, such as the response to their onset, are kept and
learned. And one control is a single draw: where one property of the audio, such as its level,
drives most of the brain, a model of permuted responses follows it with a random sign and scores
well above or below 0 in all targets at once. Fit several, each with another ``seed``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from training.data.prepared import Run
from training.data.splits import Splits

logger = logging.getLogger(__name__)

Control = Literal["none", "permuted_brain"]


@dataclass(frozen=True)
class Donor:
    """The run whose responses another run gets.

    Attributes
    ----------
    run : Run
        Of the same subject and split.
    shift : int
        TRs of circular shift; above 0 if a run can only get its own responses.
    """

    run: Run
    shift: int = 0


def permuted_brain(splits: Splits, seed: int) -> tuple[Splits, dict[Run, Donor]]:
    """Splits with donors for the runs of the train and validation splits.

    Stimuli are arranged in a random cycle and each gets the responses to the next one: never its
    own, also for repeated stimuli. Subjects with the same stimuli get the same cycle, so that their
    shared responses stay shared. A run is cut to the length of its donor if that is shorter. A
    subject with a single stimulus in a split keeps its responses there, shifted circularly by half
    the run.

    Parameters
    ----------
    splits : Splits
        As measured.
    seed : int
        Equal seeds give equal donors.

    Raises
    ------
    ValueError
        If a subject has a single stimulus without a time axis in a split.

    Examples
    --------
    >>> run = Run("sub-01", "a", "a", "", "a", "", 0.0, 1.49, 10)
    >>> runs = [run, replace(run, name="b", stimulus="b", n_trs=8)]
    >>> splits, donors = permuted_brain(Splits(tuple(runs), (run,), ()), seed=0)
    >>> [(run.n_trs, donors[run].run.name) for run in splits.train]
    [(8, 'b'), (8, 'a')]
    >>> donors[splits.validation[0]].shift
    5
    """
    donors: dict[Run, Donor] = {}
    permuted: dict[str, tuple[Run, ...]] = {}
    for number, split in enumerate(("train", "validation")):
        pairs = _donors_of_split(getattr(splits, split), np.random.SeedSequence([seed, number]))
        cut = {run: replace(run, n_trs=min(run.n_trs, pairs[run].run.n_trs)) for run in pairs}
        donors.update({cut[run]: donor for run, donor in pairs.items()})
        permuted[split] = tuple(cut.values())
    return Splits(permuted["train"], permuted["validation"], splits.test), donors


def _donors_of_split(runs: Sequence[Run], seed: np.random.SeedSequence) -> Mapping[Run, Donor]:
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
                "permuted_brain: %s has a single stimulus in a split; its responses are shifted "
                "circularly by half the run",
                subject,
            )
    return {run: donors[run] for run in runs}


def _half(run: Run) -> int:
    if run.n_trs < 2:
        raise ValueError(
            f"control permuted_brain: {run.subject} has a single response in a split, {run.name}, "
            "and no other to exchange it with; hold out more sounds for validation"
        )
    return run.n_trs // 2
