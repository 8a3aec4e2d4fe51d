"""First section: scores, intervals, and number of significant targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.evaluation.target_scores import ALL
from training.report import elements
from training.report.elements import at_level, brain, interval, number, percent
from training.report.results import Comparison, Evaluation, Results
from training.statistics import bootstrap_interval

_HEAD = (
    *("model", "trained from", "brain", "#mean", "#95 % interval"),
    *("#significant", "best target", "#its score"),
)
CONFIDENCE = 0.95


def headline(results: Results) -> str:
    """Cards and a table per evaluation, one line per comparison."""
    parts = []
    for evaluation in results.evaluations:
        parts += [results.heading(evaluation), _evaluation(evaluation)]
    parts.append(elements.bullets(in_words(each) for each in results.comparisons))
    return elements.section("Headline numbers", "headline", parts)


def in_words(comparison: Comparison) -> str:
    """A comparison in one sentence."""
    info = comparison.info
    rows = comparison.counted
    mean = float(rows["difference"].astype(float).mean())
    n_subjects = rows["subject"].nunique()
    whose = f"{n_subjects} subjects" if n_subjects > 1 else brain(rows["subject"].iloc[0])
    return (
        f"{info.a} minus {info.b}: significantly better in {info.n_better} and worse in "
        f"{info.n_worse} of {len(rows)} targets of {whose} ({at_level(info)}); mean difference "
        f"{number(mean)}."
    )


def _evaluation(evaluation: Evaluation) -> str:
    models, best = evaluation.scored, evaluation.featured
    if best is None:
        return elements.paragraph("No model was scored on any run.")
    estimates = {model.name: estimate(evaluation, model) for model in models}
    title = f"Model {best.name} on {brain(evaluation.shown_subject(best))}"
    if len(models) > 1:
        title += f": the highest mean of {len(models)} models, all of which stand below."
    rows = [_row(evaluation, model, estimates[model.name]) for model in models]
    shown = elements.table(_HEAD, rows) if len(models) > 1 else ""
    return "\n".join(
        [
            elements.paragraph(title, "lead"),
            elements.cards(_cards(evaluation, best, estimates[best.name])),
            shown,
        ]
    )


def _cards(evaluation: Evaluation, model: ModelInfo, mean: Estimate) -> list[tuple[str, str, str]]:
    rows = evaluation.rows(model)
    name = evaluation.score_name
    found = [(number(mean.mean), f"mean {name} over {len(rows)} targets", mean.in_words)]
    if evaluation.has_p:
        share = f"{_n_significant(evaluation, model)} of {len(rows)}"
        found.append((share, "targets significant", at_level(evaluation.info)))
    if (best := _best(evaluation, model)) is not None:
        column = evaluation.info.score
        ends = interval(best[f"{column}_low"], best[f"{column}_high"])
        detail = f"{best['target_name']}; 95 % interval {ends}"
        found.append((number(best[column]), f"highest {name} of a target", detail))
    fractions = rows["r_fraction"].astype(float).dropna()
    if len(fractions):
        detail = f"median of {len(fractions)} targets with a ceiling above the floor"
        found.append((percent(float(fractions.median())), "of the noise ceiling", detail))
    shared = rows["inter_subject_r"].astype(float).dropna()
    if len(shared):
        detail = f"median of {len(shared)} targets; how well subjects agree, no ceiling"
        found.append((number(float(shared.median())), "inter-subject correlation", detail))
    return found


def _row(evaluation: Evaluation, model: ModelInfo, mean: Estimate) -> list[object]:
    column = evaluation.info.score
    significant: object = elements.NOTHING
    if evaluation.has_p:
        significant = _n_significant(evaluation, model)
    row: list[object] = [model.name, trained(model), brain(evaluation.shown_subject(model))]
    row += [*mean.cells, significant]
    best = _best(evaluation, model)
    if best is None:
        return [*row, elements.NOTHING, elements.NOTHING]
    return [*row, best["target_name"], number(best[column])]


def trained(model: ModelInfo) -> str:
    """First trained stage, and whether the model is a control.

    Examples
    --------
    >>> trained(ModelInfo(name="a", fit="", kind="group", subjects=(), train_from="none", stage=""))
    'read-out only'
    """
    stages = "read-out only" if model.train_from == "none" else model.train_from
    return stages if model.control == "none" else f"{stages} (control: {model.control})"


def _n_significant(evaluation: Evaluation, model: ModelInfo) -> int:
    return int(evaluation.rows(model)["significant"].fillna(False).astype(bool).sum())


def _best(evaluation: Evaluation, model: ModelInfo) -> dict[str, Any] | None:
    rows = evaluation.rows(model)
    scores = rows[evaluation.info.score].astype(float)
    return None if scores.isna().all() else dict(rows.loc[scores.idxmax()])


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
