"""Scores of targets pooled over runs, or over subjects, with intervals and p values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.folders import TARGET_COLUMNS
from training.evaluation.pseudo_values import Bounds, interval_over_units, rows_as_units
from training.evaluation.settings import EvaluationSettings
from training.scores import pearson_r, r2_score
from training.statistics import (
    NullScores,
    Pooling,
    Runs,
    ScoreName,
    benjamini_hochberg,
    benjamini_yekutieli,
    bootstrap_interval,
    fraction_of_ceiling,
    largest_scores,
    null_scores,
    p_of_largest,
    p_values,
    pool,
    pooled_scores,
)
from training.statistics.pooling import from_pooled_scale, to_pooled_scale

ALL = "all"  # name of all subjects together
INTERVAL = 0.95
SCORES: tuple[ScoreName, ...] = ("r", "r2")

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Tested:
    """What the tests need of a null, without its scores of all surrogates and targets.

    Attributes
    ----------
    observed, p : ndarray
        Scores, and uncorrected p values, ``(n_targets,)``.
    largest : ndarray
        Largest score of each surrogate over the targets, ``(n_permutations,)``.
    """

    observed: Values
    p: Values
    largest: Values

    @classmethod
    def of(cls, null: NullScores) -> Tested:
        """From the scores of the surrogates."""
        observed = null.observed
        largest = largest_scores(observed, null.null)
        return cls(observed, p_values(observed, null.null), largest)

    @property
    def n_permutations(self) -> int:
        """Number of surrogates scored."""
        return len(self.largest)


@dataclass(frozen=True)
class TargetScores:
    """Scores of one model for one subject, or for all; ``(n_targets,)`` each.

    Attributes
    ----------
    n_units : ndarray of int
        Number of runs with the target; for all subjects together, of subjects.
    scores : dict
        By name of the score, "r" and "r2".
    bounds : dict
        Interval of each score.
    null : NullScores, Tested or None
        Null of the tested score; None without permutations.
    """

    n_units: NDArray[np.int64]
    scores: dict[ScoreName, Values]
    bounds: dict[ScoreName, Bounds]
    null: NullScores | Tested | None

    @property
    def tested(self) -> Tested | None:
        """The tests; None without permutations."""
        return Tested.of(self.null) if isinstance(self.null, NullScores) else self.null

    def without_null(self) -> TargetScores:
        """The same with nothing but the tests of its null."""
        return replace(self, null=self.tested)


def joined(blocks: Sequence[TargetScores]) -> TargetScores:
    """Scores of all targets from those of blocks of targets, in order."""
    tests = [block.tested for block in blocks]
    known = [test for test in tests if test is not None]
    tested = None
    if known:
        tested = Tested(
            np.concatenate([test.observed for test in known]),
            np.concatenate([test.p for test in known]),
            np.max([test.largest for test in known], axis=0),
        )

    def bound(score: ScoreName, side: str) -> Values:
        return np.concatenate([getattr(block.bounds[score], side) for block in blocks])

    return TargetScores(
        np.concatenate([block.n_units for block in blocks]),
        {score: np.concatenate([block.scores[score] for block in blocks]) for score in SCORES},
        {score: Bounds(bound(score, "low"), bound(score, "high")) for score in SCORES},
        tested,
    )


def pooling_of(score: ScoreName, settings: EvaluationSettings) -> Pooling:
    """Fisher's z is for r; R² is pooled as the mean instead."""
    return "mean" if score == "r2" and settings.pooling == "fisher_z" else settings.pooling


def score_subject(runs: Runs, settings: EvaluationSettings, *, are_sounds: bool) -> TargetScores:
    """Scores over the runs of one subject.

    Parameters
    ----------
    runs : sequence of (measured, predicted)
        ``(n_trs, n_targets)`` each; a single one of all sounds if there is no time axis.
    settings : EvaluationSettings
        Settings of pooling and tests.
    are_sounds : bool
        Whether rows are sounds: the interval is then over them.
    """
    scores, bounds = {}, {}
    for score in SCORES:
        pooling = pooling_of(score, settings)
        scores[score] = pooled_scores(runs, score, pooling)
        if are_sounds:
            units = [unit for run in runs for unit in rows_as_units(*run)]
            bounds[score] = interval_over_units(units, score, INTERVAL, settings.seed)
        elif pooling == "concatenated":
            bounds[score] = interval_over_units(runs, score, INTERVAL, settings.seed)
        else:
            of_runs = np.stack([scores_of_run(*run)[score] for run in runs])
            bounds[score] = _over_units(of_runs, score, pooling, settings.seed)
    has = [np.isfinite(scores_of_run(*run)["r2"]) for run in runs]
    return TargetScores(np.sum(has, axis=0), scores, bounds, score_null(runs, settings))


def score_null(runs: Runs, settings: EvaluationSettings) -> NullScores | None:
    """Scores of surrogates.

    They depend only on the seed and on the position and length of a run: subjects with the same
    runs in the same order get the same surrogates, as required by :class:`SubjectsTogether`.
    """
    if settings.n_permutations == 0 or settings.null is None:
        return None
    return null_scores(
        runs,
        null=settings.null,
        score=settings.score,
        pooling=settings.pooling,
        n_permutations=settings.n_permutations,
        seed=settings.seed,
        min_shift=settings.min_shift,
        block_trs=settings.block_trs,
    )


def scores_of_run(
    measured: NDArray[np.floating], predicted: NDArray[np.floating]
) -> dict[ScoreName, Values]:
    """Both scores, ``(n_targets,)`` each."""
    return {"r": pearson_r(measured, predicted), "r2": r2_score(measured, predicted)}


class SubjectsTogether:
    """Mean over subjects of their pooled scores, tested with surrogates shared by all subjects.

    Subjects of one stimulus are not independent: their BOLD signals covary. A surrogate is
    therefore the same for all of them (the same shift, the same order of blocks), and the null is
    of the mean over subjects. The interval is over subjects: it generalises to other subjects of
    these stimuli, not to other stimuli.

    Parameters
    ----------
    settings : EvaluationSettings
        As for :func:`score_subject`.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self._scores: dict[ScoreName, list[Values]] = {score: [] for score in SCORES}
        self._total: Values = np.zeros(())
        self._count: NDArray[np.int64] = np.zeros((), dtype=np.int64)
        self._n_possible = np.inf

    def add(self, subject: TargetScores) -> None:
        """Add one subject, scored over the runs common to all subjects."""
        for score in SCORES:
            self._scores[score].append(subject.scores[score])
        if isinstance(subject.null, NullScores):
            scores = to_pooled_scale(subject.null.null, self._pooling(self.settings.score))
            known = np.isfinite(scores)
            self._total = self._total + np.where(known, scores, 0.0)
            self._count = self._count + known
            self._n_possible = min(self._n_possible, subject.null.n_possible)

    def result(self) -> TargetScores:
        """The mean, with its interval and null."""
        scores, bounds = {}, {}
        for score in SCORES:
            of_subjects = np.stack(self._scores[score])
            scores[score] = pool(of_subjects, self._pooling(score))
            bounds[score] = _over_units(
                of_subjects, score, self._pooling(score), self.settings.seed
            )
        has = np.isfinite(self._scores["r2"])
        return TargetScores(has.sum(axis=0), scores, bounds, self._null(scores))

    def _null(self, scores: dict[ScoreName, Values]) -> NullScores | None:
        if self._total.ndim == 0:
            return None
        score = self.settings.score
        mean = np.where(self._count > 0, self._total / np.maximum(self._count, 1), np.nan)
        null = from_pooled_scale(mean, self._pooling(score))
        return NullScores(scores[score], null, self._n_possible)

    def _pooling(self, score: ScoreName) -> Pooling:
        """Pooling over subjects: as over runs, if that is a mean."""
        is_z = pooling_of(score, self.settings) == "fisher_z"
        return "fisher_z" if is_z else "mean"


def target_rows(
    result: TargetScores,
    references: Mapping[str, Values],
    settings: EvaluationSettings,
    key: dict[str, Any],
) -> Any:
    """Rows of the table of targets, a pandas table with its columns.

    Parameters
    ----------
    result : TargetScores
        For one model and subject.
    references : mapping
        "ceiling_r" and "inter_subject_r", ``(n_targets,)`` each, if requested.
    settings : EvaluationSettings
        Score, correction and alpha.
    key : dict
        Values of the columns model, subject, target_id and target_name.
    """
    import pandas

    missing = np.full(len(result.n_units), np.nan)
    p = p_bh = p_by = p_fwe = missing
    tested = result.tested
    if tested is not None:
        p = tested.p
        p_bh, p_by = benjamini_hochberg(p), benjamini_yekutieli(p)
        p_fwe = p_of_largest(tested.observed, tested.largest)
    corrected = {"none": p, "bh": p_bh, "by": p_by, "fwe": p_fwe}[settings.correction]
    significant = pandas.array(corrected <= settings.alpha, dtype="boolean")
    if tested is None:
        significant[:] = pandas.NA  # untested is not the same as not significant
    ceiling = references.get("ceiling_r", missing)
    columns: dict[str, Any] = {
        **key,
        "n_runs": result.n_units,
        **{score: result.scores[score] for score in SCORES},
        **{f"{score}_low": result.bounds[score].low for score in SCORES},
        **{f"{score}_high": result.bounds[score].high for score in SCORES},
        "p": p,
        "p_bh": p_bh,
        "p_by": p_by,
        "p_fwe": p_fwe,
        "significant": significant,
        "ceiling_r": ceiling,
        "r_fraction": fraction_of_ceiling(result.scores["r"], ceiling, settings.ceiling_floor),
        "inter_subject_r": references.get("inter_subject_r", missing),
    }
    return pandas.DataFrame(columns)[list(TARGET_COLUMNS)]


def _over_units(values: Values, score: ScoreName, pooling: Pooling, seed: int) -> Bounds:
    """Over runs or subjects; no score lies beyond what it can be at all."""
    interval = bootstrap_interval(values, INTERVAL, seed=seed, pooling=pooling)
    lowest = -1.0 if score == "r" else -np.inf
    return Bounds(np.maximum(interval.low, lowest), np.minimum(interval.high, 1.0))
