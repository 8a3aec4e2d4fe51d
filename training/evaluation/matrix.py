"""Scores of models across subjects."""

from __future__ import annotations

from typing import Any, Literal

from training.evaluation.target_scores import ALL
from training.statistics import ScoreName


def matrix(
    targets: Any, score: ScoreName = "r", over: Literal["all", "significant"] = "all"
) -> Any:
    """Mean score over targets of each model on each subject, a pandas table models x subjects.

    Parameters
    ----------
    targets : pandas.DataFrame
        The table of targets of an evaluation.
    score : str
        {"r", "r2"}.
    over : str
        {"all", "significant"}: all targets, or those of a subject that are significant for at least
        one model. The same targets are used for all models of a subject; the means are then of
        selected targets, and biased upwards.

    Returns
    -------
    pandas.DataFrame
        Models and subjects in the order of the table; NaN if a model was not scored.

    Examples
    --------
    >>> import pandas
    >>> targets = pandas.DataFrame({
    ...     "model": ["one", "one", "two", "two"], "subject": "sub-01", "target_id": [1, 2, 1, 2],
    ...     "r": [0.1, 0.3, 0.2, 0.1], "significant": [False, True, False, False]})
    >>> matrix(targets)["sub-01"].round(3).to_dict()
    {'one': 0.2, 'two': 0.15}
    >>> matrix(targets, over="significant")["sub-01"].round(3).to_dict()
    {'one': 0.3, 'two': 0.1}
    """
    table = targets[targets["subject"] != ALL]
    models, subjects = table["model"].unique(), table["subject"].unique()
    if over == "significant":
        chosen = table.groupby(["subject", "target_id"])["significant"].transform("any")
        table = table[chosen]
    means = table.pivot_table(index="model", columns="subject", values=score, aggfunc="mean")
    return means.reindex(index=models, columns=subjects)
