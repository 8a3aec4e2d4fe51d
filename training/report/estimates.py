"""Means over targets with intervals over runs, for headlines and profiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from training.evaluation.folders import ModelInfo
from training.evaluation.target_scores import ALL
from training.report.elements import interval, number, percent
from training.report.evaluated import Evaluation
from training.statistics import bootstrap_interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over targets and over runs or subjects.

    Attributes
    ----------
    mean, low, high : float
        With its 95 % interval; bounds are NaN for one run, all are NaN for none.
    n_units : int
        Number of runs or subjects.
    unit : str
        {"run", "subject", "set of sounds"}.
    """

    mean: float
    low: float
    high: float
    n_units: int
    unit: str

    @property
    def in_words(self) -> str:
        """The interval as text below a number."""
        if self.n_units == 0:
            return "nothing was scored"
        if not np.isfinite(self.low):
            return f"one {self.unit}, hence no interval"
        ends = interval(self.low, self.high)
        return f"{percent(CONFIDENCE)} interval {ends} over {self.n_units} {self.unit}s"

    @property
    def cells(self) -> tuple[str, str]:
        """Mean and interval for a table."""
        return number(self.mean), interval(self.low, self.high)


def estimate(
    evaluation: Evaluation, model: ModelInfo, targets: Iterable[int] | None = None
) -> Estimate:
    """Mean score of a model for its shown subject.

    Parameters
    ----------
    evaluation, model
        The evaluation and the model.
    targets : iterable of int, optional
        Ids; all by default.
    """
    values = evaluation.unit_scores(model, targets).to_numpy(dtype=float)
    unit = "run" if evaluation.info.kind == "time_series" else "set of sounds"
    if evaluation.shown_subject(model) == ALL:
        unit = "subject"
    if not len(values):
        return Estimate(np.nan, np.nan, np.nan, 0, unit)
    found = bootstrap_interval(values[:, None], confidence=CONFIDENCE, seed=evaluation.info.seed)
    low, high = float(found.low[0]), float(found.high[0])
    return Estimate(float(values.mean()), low, high, len(values), unit)
