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
from training.data.splits import SPLITS

FRESH = "fresh"  # the split of stimuli unrelated to the fit
START = "start"  # of stimuli that the network was fitted to before
UNTESTED = "untested"  # of stimuli that no fold of a cross-validation tests


class FitSplits:
    """Stimuli in each split of a fit.

    Parameters
    ----------
    splits : mapping
        Runs by split, {"train", "validation", "test"}.
    prepared : Prepared, optional
        Dataset with the stimuli; None for a model without training stimuli.
    start : sequence of FittedTo
        What the network was fitted to before the fit.

    Examples
    --------
    >>> first = Run("sub-01", "a", "story", "", "one", "", 0.0, 2.0, 10)
    >>> splits = FitSplits({"train": [first]})
    >>> splits.split_of(Run("sub-02", "b", "story", "", "two", "", 18.0, 2.0, 10))
    'train'
    >>> splits.split_of(Run("sub-02", "b", "story", "", "two", "", 20.0, 2.0, 10))
    'fresh'
    """

    def __init__(
        self,
        splits: Mapping[str, Sequence[Run]],
        prepared: Prepared | None = None,
        start: Sequence[FittedTo] = (),
    ) -> None:
        self.prepared = prepared
        self.start = start
        self._episodes: dict[str, dict[str, None]] = {split: {} for split in SPLITS}
        self._stretches: dict[str, dict[str, list[tuple[float, float]]]] = {s: {} for s in SPLITS}
        for split, runs in splits.items():
            for run in runs:
                self._episodes[split][run.episode] = None
                self._stretches[split].setdefault(run.stimulus, []).append(_stretch(run))

    def splits_of(self, prepared: Prepared, runs: Sequence[Run]) -> dict[Run, str]:
        """The split of each run of a dataset; :data:`START` if it would be held out, but the start
        was fitted to its stimulus."""
        names = self.known_as(prepared, runs)
        splits = {run: self.split_of(run, names.get(run.stimulus)) for run in runs}
        held_out = [run for run in runs if splits[run] in ("test", FRESH)]
        return splits | dict.fromkeys(overlap(self.start, prepared, held_out), START)

    def split_of(self, run: Run, stimulus: str | None = None) -> str:
        """The first split, as in :data:`SPLITS`, that a run overlaps with, or "fresh".

        Parameters
        ----------
        run : Run
            A run of any subject and dataset.
        stimulus : str, optional
            Name of its stimulus in this dataset, see :meth:`known_as`.
        """
        start, stop = _stretch(run)
        for split in SPLITS:
            stretches = self._stretches[split].get(run.stimulus, [])
            if stimulus is not None and stimulus != run.stimulus:
                stretches = stretches + self._stretches[split].get(stimulus, [])
            if run.episode in self._episodes[split] or any(
                start < other_stop and other_start < stop for other_start, other_stop in stretches
            ):
                return split
        return FRESH

    def known_as(self, prepared: Prepared, runs: Sequence[Run]) -> dict[str, str]:
        """Stimuli of another dataset with the same samples as one in these splits."""
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


class FoldSplits(FitSplits):
    """Sides of a cross-validation: what one of its fits tests is held out.

    Parameters
    ----------
    folds : sequence of FitSplits
        Of each fit.
    """

    def __init__(self, folds: Sequence[FitSplits]) -> None:
        super().__init__({})
        self.folds = folds

    def splits_of(self, prepared: Prepared, runs: Sequence[Run]) -> dict[Run, str]:
        of_folds = [fold.splits_of(prepared, runs) for fold in self.folds]
        known = {run: {splits[run] for splits in of_folds} for run in runs}
        return {
            run: next((split for split in ("test", START) if split in splits), UNTESTED)
            for run, splits in known.items()
        }


def same_folder(one: Prepared, other: Prepared) -> bool:
    """Whether both are the same dataset."""
    return one.folder.resolve() == other.folder.resolve()


def _stretch(run: Run) -> tuple[float, float]:
    """Interval of the stimulus in seconds; unbounded for responses without a time axis."""
    if run.tr == 0:
        return -np.inf, np.inf
    return run.start, run.start + run.n_trs * run.tr
