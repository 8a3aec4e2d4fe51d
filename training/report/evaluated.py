"""An evaluation, with accessors for the sections of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.prepared_files import image_in
from training.evaluation.folders import MODELS_FOLDER, EvaluationInfo, ModelInfo
from training.evaluation.target_scores import ALL
from training.maps.target_maps import SCORES, significant_values

CURVE_COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_r", "validation_r2")


@dataclass(frozen=True)
class Evaluation:
    """An evaluation's document and tables.

    Attributes
    ----------
    folder : Path
        Folder of the evaluation.
    info : EvaluationInfo
        Its settings.
    scores, targets : pandas.DataFrame
        Its tables; see ``training.evaluation.folders``.
    """

    folder: Path
    info: EvaluationInfo
    scores: Any
    targets: Any

    @property
    def score_name(self) -> str:
        """Name of the score."""
        return SCORES[self.info.score]

    @property
    def corrected_p(self) -> str:
        """Column of the p values that determine significance."""
        return p_column(self.info.correction)

    @cached_property
    def has_p(self) -> bool:
        """Whether p values were computed."""
        return bool(np.isfinite(self.targets["p"].astype(float)).any())

    @property
    def image(self) -> Path | None:
        """Image of the targets, if there is one."""
        return image_in(self.folder)

    def subjects_of(self, model: str) -> list[str]:
        """Subjects that a model was scored on, all together last."""
        return list(dict.fromkeys(self.targets.loc[self.targets["model"] == model, "subject"]))

    def shown_subject(self, model: ModelInfo) -> str | None:
        """The subject shown for a model if there is space for only one.

        The subject it was fitted to, if there is only one; else all together; else the first. None
        if it was scored on nobody.
        """
        scored = self.subjects_of(model.name)
        if model.kind == "individual" and len(model.subjects) == 1 and model.subjects[0] in scored:
            return model.subjects[0]
        if ALL in scored:
            return ALL
        return scored[0] if scored else None

    def rows(self, model: ModelInfo) -> Any:
        """Rows of the targets table for the shown subject, by target id."""
        subject = self.shown_subject(model)
        table = self.targets
        chosen = table[(table["model"] == model.name) & (table["subject"] == subject)]
        return chosen.set_index("target_id")

    @cached_property
    def featured(self) -> ModelInfo | None:
        """The model with the highest mean score, if there is space for only one."""
        scored = [model for model in self.info.models if self.shown_subject(model)]
        means = [self.rows(model)[self.info.score].astype(float).mean() for model in scored]
        if not scored:
            return None
        return scored[int(np.argmax(np.nan_to_num(means, nan=-np.inf)))]

    def map_values(self, model: ModelInfo) -> dict[int, float]:
        """Score by target id: of the significant ones, or of all without p values."""
        return drawn_values(self.rows(model), self.info.score, self.has_p)

    def unit_scores(self, model: ModelInfo, targets: Iterable[int] | None = None) -> Any:
        """Mean over targets, one value per run, or per subject if all subjects are shown.

        Parameters
        ----------
        targets : iterable of int, optional
            Ids; all by default.

        Returns
        -------
        pandas.Series
            Indexed by the name of the run or subject, without NaN.
        """
        subject = self.shown_subject(model)
        rows = self.scores[self.scores["model"] == model.name]
        if subject != ALL:
            rows = rows[rows["subject"] == subject]
        if targets is not None:
            rows = rows[rows["target_id"].isin(list(targets))]
        runs = rows.groupby(["subject", "run"], sort=False)[self.info.score].mean()
        level = "subject" if subject == ALL else "run"
        return runs.groupby(level=level, sort=False).mean().dropna()

    def curves(self, model: ModelInfo) -> Any | None:
        """Epochs of the model's fit, None if they were not kept.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        import pandas

        path = self.folder / MODELS_FOLDER / model.name / "metrics.csv"
        if not path.exists():
            return None
        try:
            table = pandas.read_csv(path)[list(CURVE_COLUMNS)].astype(float)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path} is damaged ({error}); evaluate again") from error
        return table if len(table) else None


def p_column(correction: str) -> str:
    """Column of the p values of a correction.

    Examples
    --------
    >>> p_column("by"), p_column("none")
    ('p_by', 'p')
    """
    return "p" if correction == "none" else f"p_{correction}"


def drawn_values(rows: Any, column: str, only_significant: bool) -> dict[int, float]:
    """Values by target id from rows indexed by target id."""
    values: NDArray[np.float64] = rows[column].to_numpy(dtype=float)
    ids = [int(target) for target in rows.index]
    is_drawn = rows["significant"].fillna(False).astype(bool) | (not only_significant)
    return significant_values(
        dict(zip(ids, values.tolist(), strict=True)),
        dict(zip(ids, is_drawn.tolist(), strict=True)),
    )


def is_control(model: ModelInfo) -> bool:
    """Whether a model is a control: random weights, or manipulated training data.

    Earlier evaluations do not mark untrained models; only these have no fit folder.
    """
    return model.control != "none" or not model.fit
