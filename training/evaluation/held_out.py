"""Held-out runs: stimuli that a model has not been fitted to.

A run is held out if its *stimulus* is: another subject's responses to a stimulus used in training
are no test either. Two runs overlap if they belong to the same episode or contain the same part of
a stimulus; stimuli of different datasets are the same if their names or samples are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.data.fitted_to import FittedTo, overlap
from training.data.prepared import Prepared, Run
from training.data.splits import SIDES

FRESH = "fresh"  # the side of stimuli unrelated to the fit
START = "start"  # of stimuli that the network was fitted to before
UNTESTED = "untested"  # of stimuli that no fold of a cross-validation tests


class FitSides:
    """Stimuli on each side of a fit.

    Parameters
    ----------
    sides : mapping
        Runs by side, {"train", "validation", "test"}.
    prepared : Prepared, optional
        Dataset with the stimuli; None for a model without training stimuli.
    start : sequence of FittedTo
        What the network was fitted to before the fit.

    Examples
    --------
    >>> first = Run("sub-01", "a", "story", "", "one", "", 0.0, 2.0, 10)
    >>> sides = FitSides({"train": [first]})
    >>> sides.side_of(Run("sub-02", "b", "story", "", "two", "", 18.0, 2.0, 10))
    'train'
    >>> sides.side_of(Run("sub-02", "b", "story", "", "two", "", 20.0, 2.0, 10))
    'fresh'
    """

    def __init__(
        self,
        sides: Mapping[str, Sequence[Run]],
        prepared: Prepared | None = None,
        start: Sequence[FittedTo] = (),
    ) -> None:
        self.prepared = prepared
        self.start = start
        self._episodes: dict[str, dict[str, None]] = {side: {} for side in SIDES}
        self._stretches: dict[str, dict[str, list[tuple[float, float]]]] = {s: {} for s in SIDES}
        for side, runs in sides.items():
            for run in runs:
                self._episodes[side][run.episode] = None
                self._stretches[side].setdefault(run.stimulus, []).append(_stretch(run))

    def sides_of(self, prepared: Prepared, runs: Sequence[Run]) -> dict[Run, str]:
        """The side of each run of a dataset; :data:`START` if it would be held out, but the start
        was fitted to its stimulus."""
        names = self.known_as(prepared, runs)
        sides = {run: self.side_of(run, names.get(run.stimulus)) for run in runs}
        held_out = [run for run in runs if sides[run] in ("test", FRESH)]
        return sides | dict.fromkeys(overlap(self.start, prepared, held_out), START)

    def side_of(self, run: Run, stimulus: str | None = None) -> str:
        """The side that a run overlaps with, "train" before "validation" before "test", or "fresh".

        Parameters
        ----------
        run : Run
            A run of any subject and dataset.
        stimulus : str, optional
            Name of its stimulus in this dataset, see :meth:`known_as`.
        """
        start, stop = _stretch(run)
        for side in SIDES:
            stretches = self._stretches[side].get(run.stimulus, [])
            if stimulus is not None and stimulus != run.stimulus:
                stretches = stretches + self._stretches[side].get(stimulus, [])
            if run.episode in self._episodes[side] or any(
                start < other_stop and other_start < stop for other_start, other_stop in stretches
            ):
                return side
        return FRESH

    def known_as(self, prepared: Prepared, runs: Sequence[Run]) -> dict[str, str]:
        """Stimuli of another dataset with the same samples as one on these sides."""
        if self.prepared is None or same_folder(self.prepared, prepared):
            return {}
        own: dict[int, list[str]] = {}
        for stimulus in {name for names in self._stretches.values() for name in names}:
            own.setdefault(len(self.prepared.audio(stimulus)), []).append(stimulus)
        known = {}
        for other in {run.stimulus for run in runs}:
            audio = prepared.audio(other)
            for stimulus in own.get(len(audio), []):
                if np.array_equal(audio, self.prepared.audio(stimulus)):
                    known[other] = stimulus
        return known


class FoldSides(FitSides):
    """Sides of a cross-validation: what one of its fits tests is held out.

    Parameters
    ----------
    folds : sequence of FitSides
        Of each fit.
    """

    def __init__(self, folds: Sequence[FitSides]) -> None:
        super().__init__({})
        self.folds = folds

    def sides_of(self, prepared: Prepared, runs: Sequence[Run]) -> dict[Run, str]:
        of_folds = [fold.sides_of(prepared, runs) for fold in self.folds]
        known = {run: {sides[run] for sides in of_folds} for run in runs}
        return {
            run: next((side for side in ("test", START) if side in sides), UNTESTED)
            for run, sides in known.items()
        }


def same_folder(one: Prepared, other: Prepared) -> bool:
    """Whether both are the same dataset."""
    return one.folder.resolve() == other.folder.resolve()


def _stretch(run: Run) -> tuple[float, float]:
    """Interval of the stimulus in seconds; unbounded for responses without a time axis."""
    if run.tr == 0:
        return -np.inf, np.inf
    return run.start, run.start + run.n_trs * run.tr
