"""Comparison of two models, paired over runs and over subjects."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hear_brainsoundnet.lock import one_job_per_folder
from training.config import Settings
from training.evaluation.evaluate import PACKAGES
from training.evaluation.folders import (
    COMPARISON_COLUMNS,
    ComparisonInfo,
    begin_folder,
    write_info,
    write_table,
)
from training.evaluation.paired_scores import PairedScores, pair, read_compared
from training.evaluation.target_scores import ALL, INTERVAL
from training.provenance import git_revision, typed_command, versions
from training.statistics import (
    ScoreName,
    benjamini_hochberg,
    benjamini_yekutieli,
    compare_runs,
    permutations_needed,
    smallest_wilcoxon_p,
)
from training.statistics.p_values import harmonic
from training.statistics.pooling import mean_over_runs

logger = logging.getLogger(__name__)

TEST = (
    "Wilcoxon signed-rank test, two-sided, over the runs of each subject; of all subjects together "
    "over subjects, each the mean over its runs"
)
Values = NDArray[np.float64]


class ComparisonSettings(Settings):
    """Settings of a comparison.

    Attributes
    ----------
    score : str or None
        {"r", "r2"}; None for that of the first evaluation.
    correction : str
        {"by", "bh", "none"}: for multiple comparisons over targets.
    alpha : float
        Significance level of the corrected p values.
    seed : int
        Seed of the intervals.
    """

    score: ScoreName | None = None
    correction: Literal["bh", "by", "none"] = "by"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    seed: Annotated[int, Field(ge=0)] = 0


USUAL = ComparisonSettings()


@one_job_per_folder()
def compare_models(
    a: str, b: str, out: str | Path, settings: ComparisonSettings = USUAL
) -> ComparisonInfo:
    """Compare the scores of two models on the same runs, target by target, ``a - b``.

    Parameters
    ----------
    a, b : str
        ``EVAL`` or ``EVAL:MODEL``, see :mod:`training.evaluation.paired_scores`.
    out : path-like
        The output folder, see :mod:`training.evaluation.folders`.
    settings : ComparisonSettings
        All other choices.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    FileNotFoundError, ValueError
        If the evaluations are missing, not comparable, or have too little in common.
    """
    both = read_compared(a), read_compared(b)
    score = settings.score or both[0].info.score
    scores = pair(*both, score)
    excluded, notes = list(scores.excluded), list(scores.notes)
    tables = _subjects(scores, settings, excluded)
    if not tables:
        raise ValueError(
            f"{both[0].name} and {both[1].name} share a single run of a single subject, and a "
            "paired test needs two at least; evaluate more runs or subjects, or several splits, "
            f"and compare them as in {both[0].folder}:'{both[0].name}-*' "
            f"{both[1].folder}:'{both[1].name}-*'"
        )
    n_units = {subject: int(table["n_runs"].max()) for subject, table in tables.items()}
    notes += _power(n_units, len(scores.target_ids), settings)
    folder = Path(out)
    begin_folder(folder, ComparisonInfo)
    import pandas

    table = pandas.concat(tables.values(), ignore_index=True)
    write_table(folder, "targets", table)
    counted = table if set(tables) == {ALL} else table[table["subject"] != ALL]
    significant = counted[counted["significant"]]
    info = ComparisonInfo(
        command=typed_command(),
        a=both[0].name,
        b=both[1].name,
        a_evaluation=str(both[0].folder),
        b_evaluation=str(both[1].folder),
        score=score,
        pooling="mean",
        test=TEST,
        correction=settings.correction,
        alpha=settings.alpha,
        smallest_p=smallest_wilcoxon_p(int(counted["n_runs"].max())),
        interval=(
            f"{INTERVAL:.0%} confidence intervals of the mean difference over runs (of all "
            "subjects together over subjects): studentised bootstrap, below 8 by Student's t"
        ),
        n_better=int((significant["difference"] > 0).sum()),
        n_worse=int((significant["difference"] < 0).sum()),
        excluded=tuple(excluded),
        notes=tuple(notes),
        seed=settings.seed,
        git_revision=git_revision(),
        versions={**versions(), **{name: version(name) for name in PACKAGES}},
    )
    write_info(folder, info)
    for note in notes:
        logger.warning("note: %s", note)
    return info


def _subjects(
    scores: PairedScores, settings: ComparisonSettings, excluded: list[str]
) -> dict[str, Any]:
    """Tables of each subject with at least two runs, and of all subjects together."""
    tables = {}
    alone = [subject for subject, runs in scores.a.items() if len(runs) < 2]
    for subject in scores.a:
        if subject not in alone:
            tables[subject] = _rows(subject, scores.a[subject], scores.b[subject], scores, settings)
    if len(scores.a) > 1:
        # A run without a target in one is left out of both.
        both = {s: np.isfinite(scores.a[s]) & np.isfinite(scores.b[s]) for s in scores.a}
        mean_a, mean_b = (
            np.stack([mean_over_runs(np.where(both[s], own[s], np.nan)) for s in own])
            for own in (scores.a, scores.b)
        )
        tables[ALL] = _rows(ALL, mean_a, mean_b, scores, settings)
    if alone and tables:
        excluded.append(
            f"No test of {', '.join(alone)} alone: one run says nothing of the spread over runs."
        )
    return tables


def _rows(
    subject: str, a: Values, b: Values, scores: PairedScores, settings: ComparisonSettings
) -> Any:
    """Rows of the table, from two ``(n_units, n_targets)`` to one row per target."""
    import pandas

    result = compare_runs(a, b, confidence=INTERVAL, seed=settings.seed)
    p_bh, p_by = benjamini_hochberg(result.p), benjamini_yekutieli(result.p)
    corrected = {"none": result.p, "bh": p_bh, "by": p_by}[settings.correction]
    both = np.isfinite(a) & np.isfinite(b)
    columns = {
        "subject": subject,
        "target_id": scores.target_ids,
        "target_name": scores.target_names,
        "n_runs": result.n_runs,
        "a": mean_over_runs(np.where(both, a, np.nan)),
        "b": mean_over_runs(np.where(both, b, np.nan)),
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "effect_size": result.effect_size,
        "statistic": result.statistic,
        "p": result.p,
        "p_bh": p_bh,
        "p_by": p_by,
        "significant": corrected <= settings.alpha,
    }
    return pandas.DataFrame(columns)[list(COMPARISON_COLUMNS)]


def _power(n_units: dict[str, int], n_targets: int, settings: ComparisonSettings) -> list[str]:
    """Notes where runs are too few for significance."""
    notes = []
    for n in sorted(set(n_units.values())):
        own = [subject for subject in n_units if n_units[subject] == n]
        least = smallest_wilcoxon_p(n)
        together = harmonic(n_targets) if settings.correction == "by" else 1.0
        needed = permutations_needed(settings.alpha, n_targets, settings.correction)
        over = "subjects" if own == [ALL] else "runs (subjects for all of them together)"
        start = (
            f"{', '.join(own)}: {n} {over} allow no p below {least:.3g}; after correction "
            f"({settings.correction}) over {n_targets} targets at alpha {settings.alpha:g}"
        )
        if least * together > settings.alpha:
            notes.append(f"{start} nothing can be significant.")
        elif least > 1 / (1 + needed):
            notes.append(f"{start} a target can be significant only together with others.")
    return notes
