"""All choices of an evaluation that are not its models and data."""

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
    """How models are scored and what their scores are compared with.

    Attributes
    ----------
    side : str
        {"test", "validation"}: runs that are scored.
    runs : str
        {"shared", "own"}: "shared" scores only runs that are held out for all models, so that they
        can be compared; "own" scores each model on what is held out for it, as for the models of a
        cross-validation, whose test sides differ.
    subjects : tuple of str
        Whose brains; empty for all in the dataset.
    untrained : int
        How many models with random weights are added, of the shape of the first one.
    score, pooling : str
        What p values are of, and how runs are pooled; see :mod:`training.statistics.pooling`.
    null : str or None
        See :mod:`training.statistics`; None for the usual one: "circular_shift" for time series,
        "shuffle" for sound responses.
    n_permutations : int
        0 for no p values.
    min_shift, block_trs : int
        TRs, of circular shifts and blocks.
    correction, level : str, float
        What is called significant.
    ceiling, ceiling_floor : str, float
        {"none", "repeats"}; ceilings below the floor give no fraction.
    inter_subject : bool
        Whether each subject is correlated with the mean of the others.
    seed : int
        Of permutations, intervals and untrained models.
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


# Options of the command line whose names differ from those above.
OPTIONS = {"side": "split", "subjects": "subject", "n_permutations": "permutations"}


def command_of(
    runs: Sequence[str | Path],
    out: str | Path,
    on: str | Path | None,
    names: Sequence[str],
    settings: EvaluationSettings,
) -> str:
    """The command that makes an evaluation again; what is as usual is not stated.

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
