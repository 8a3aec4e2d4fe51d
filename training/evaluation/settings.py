"""Settings of an evaluation other than its models and data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from training.config import Settings
from training.statistics import BLOCK_TRS, MIN_SHIFT, Correction, Null, Pooling, ScoreName

PROGRAM = "python -m training"


class EvaluationSettings(Settings):
    """Settings of scoring and tests.

    Attributes
    ----------
    side : str
        {"test", "validation"}: runs that are scored.
    runs : str
        {"shared", "own"}: "shared" scores only runs held out for all models, so that they are
        comparable; "own" scores each model on the runs held out for it, as for the models of a
        cross-validation, whose test sides differ.
    subjects : tuple of str
        Subjects to score; empty for all in the dataset.
    untrained : int
        Number of models with random weights to add, with the shape of the first one.
    score, pooling : str
        Score that is tested, and pooling over runs; see :mod:`training.statistics.pooling`.
    null : str or None
        See :mod:`training.statistics`; None for the default: "circular_shift" for time series,
        "shuffle" for sound responses.
    n_permutations : int
        0 for no p values.
    min_shift, block_trs : int
        Parameters of circular shifts and blocks, in TRs.
    correction, level : str, float
        Significance criterion.
    ceiling, ceiling_floor : str, float
        {"none", "repeats"}; minimal ceiling for a normalised score.
    inter_subject : bool
        Whether each subject is correlated with the mean of the others.
    seed : int
        Seed of permutations, intervals and untrained models.
    """

    side: Literal["test", "validation"] = "test"
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
    level: Annotated[float, Field(gt=0, lt=1)] = 0.05
    ceiling: Literal["none", "repeats"] = "none"
    ceiling_floor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    inter_subject: bool = False
    seed: Annotated[int, Field(ge=0)] = 0


# Command-line options whose names differ from those above.
OPTIONS = {"side": "split", "subjects": "subject", "n_permutations": "permutations"}


def command_of(
    runs: Sequence[str | Path],
    out: str | Path,
    on: str | Path | None,
    names: Sequence[str],
    settings: EvaluationSettings,
) -> str:
    """The command that reproduces an evaluation; defaults are omitted.

    Examples
    --------
    >>> command_of(["runs/frozen"], "scores", None, [], EvaluationSettings(n_permutations=99))
    'python -m training evaluate runs/frozen --out scores --permutations 99'
    >>> command_of(["runs/frozen"], "scores", None, [], EvaluationSettings(inter_subject=True))
    'python -m training evaluate runs/frozen --out scores --inter-subject'
    """
    words = ["evaluate", *map(str, runs), "--out", str(out)]
    if on is not None:
        words += ["--on", str(on)]
    for name in names:
        words += ["--name", name]
    for field, value in settings.model_dump(exclude_defaults=True).items():
        option = f"--{OPTIONS.get(field, field).replace('_', '-')}"
        if value is True:
            words.append(option)
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [option, str(each)]
    return f"{PROGRAM} {shlex.join(words)}"
