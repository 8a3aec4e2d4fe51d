"""Settings of an evaluation other than its models and data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from training.config import Settings
from training.statistics import BLOCK_TRS, MIN_SHIFT, Correction, Null, Pooling, ScoreName


class EvaluationSettings(Settings):
    """Settings of scoring and tests.

    Attributes
    ----------
    split : str
        {"test", "validation"}: runs that are scored.
    runs : str
        {"shared", "own"}: "shared" scores only runs held out for all models, so that they are
        comparable; "own" scores each model on the runs held out for it, as for the models of a
        cross-validation, whose test splits differ.
    subjects : tuple of str
        Subjects to score; empty for all in the dataset.
    untrained : int
        Number of models with random weights to add, with the shape of the first one.
    score : str
        {"r", "r2"}: the score that is tested.
    pooling : str
        {"mean", "fisher_z", "concatenated"}: pooling over runs, see
        :mod:`training.statistics.pooling`.
    null : str or None
        {"circular_shift", "phase_randomised", "block_permutation", "shuffle"}: see
        :mod:`training.statistics`; by default "circular_shift" for time series, "shuffle" for
        sound responses.
    n_permutations : int
        0 for no p values.
    min_shift : int
        Smallest circular shift in TRs.
    block_trs : int
        Length of a permuted block in TRs.
    correction : str
        {"by", "bh", "fwe", "none"}: for multiple comparisons over targets.
    alpha : float
        Significance level of the corrected p values.
    ceiling : str
        {"none", "repeats"}: the noise ceiling.
    ceiling_floor : float
        Smallest ceiling by which a score is divided.
    inter_subject : bool
        Whether each subject is correlated with the mean of the others.
    seed : int
        Seed of permutations, intervals and untrained models.
    """

    split: Literal["test", "validation"] = "test"
    runs: Literal["shared", "own"] = "shared"
    subjects: tuple[str, ...] = ()
    untrained: Annotated[int, Field(ge=0, le=1000)] = 0
    score: ScoreName = "r"
    pooling: Pooling = "mean"
    null: Null | None = None
    n_permutations: Annotated[int, Field(ge=0)] = 1000
    min_shift: Annotated[int, Field(ge=1)] = MIN_SHIFT
    block_trs: Annotated[int, Field(ge=1)] = BLOCK_TRS
    correction: Correction = "by"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    ceiling: Literal["none", "repeats"] = "none"
    ceiling_floor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    inter_subject: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
