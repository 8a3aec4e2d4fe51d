"""Notes and exclusions of an evaluation, collected without repetition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.sound_files import shown
from training.evaluation.settings import EvaluationSettings
from training.evaluation.target_scores import ALL, TargetScores
from training.statistics import check_permutations, smallest_p

N_SHOWN = 5


class Notes:
    """Collector; the same sentence about several subjects is merged into one.

    Attributes
    ----------
    fewest_permutations : int
        Minimum over all tests so far; 0 before the first one.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self.fewest_permutations = 0
        self._said: dict[str, dict[str, None]] = {}
        self._excluded: dict[str, None] = {}

    def say(self, sentence: str, about: str = "") -> None:
        """Add a sentence that applies to `about`."""
        self._said.setdefault(sentence, {})[about] = None

    def exclude(self, sentence: str) -> None:
        """Add a sentence about an exclusion."""
        self._excluded[sentence] = None

    def responses(
        self, subject: str, target_ids: Sequence[int], scores: Sequence[NDArray[np.floating]]
    ) -> None:
        """Targets without a score: missing or constant.

        Parameters
        ----------
        subject : str
            The subject.
        target_ids : sequence of int
            Ids of the columns.
        scores : sequence of ndarray
            R² of each run, ``(n_targets,)``.
        """
        known = np.isfinite(np.stack(list(scores)))
        for where, words in (
            (~known.any(axis=0), "in all runs, and have no scores"),
            (
                known.any(axis=0) & ~known.all(axis=0),
                "in some runs, and are pooled over the others",
            ),
        ):
            if where.any():
                targets = [target_ids[column] for column in np.flatnonzero(where).tolist()]
                self.exclude(
                    f"Targets {shown(targets, 1000)} of {subject} are missing or constant {words}."
                )

    def test(self, model: str, subject: str, result: TargetScores) -> None:
        """Notes implied by the number of runs and of surrogates."""
        settings, about = self.settings, f"{model} on {subject}"
        if subject != ALL and np.isnan(result.bounds["r"].low).all():
            self.say("there is one run only, which says nothing of the spread over runs", about)
        tested = result.tested
        if tested is None:
            return
        n_made = tested.n_permutations
        fewest = self.fewest_permutations
        self.fewest_permutations = min(n_made, fewest) if fewest else n_made
        if n_made < settings.n_permutations:
            self.say(
                f"there are only {n_made} different surrogates; each was scored once, and p cannot "
                f"be below {smallest_p(n_made):.3g}",
                about,
            )
        n_tests = int(np.isfinite(tested.observed).sum())
        if n_tests:
            try:
                sentence = check_permutations(n_made, settings.alpha, n_tests, settings.correction)
            except ValueError as error:
                sentence = str(error)
            if sentence:
                self.say(sentence, about)

    def sentences(self) -> tuple[str, ...]:
        """All notes."""
        return tuple(
            f"{shown(list(about), N_SHOWN)}: {sentence}." if any(about) else sentence
            for sentence, about in self._said.items()
        )

    def excluded(self) -> tuple[str, ...]:
        """All exclusions."""
        return tuple(self._excluded)
