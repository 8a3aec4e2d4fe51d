"""Folders of a report, read and validated, with accessors for the sections of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from training.data.prepared_files import image_in
from training.evaluation.folders import (
    COMPARISON_COLUMNS,
    MODELS_FOLDER,
    SCORE_COLUMNS,
    TARGET_COLUMNS,
    ComparisonInfo,
    EvaluationInfo,
    ModelInfo,
    PartitionInfo,
    kind_of,
    read_info,
    read_table,
)
from training.evaluation.target_scores import ALL
from training.maps.target_maps import SCORES
from training.report import elements

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

    @cached_property
    def scored(self) -> list[ModelInfo]:
        """The models that were scored on somebody."""
        return [model for model in self.info.models if self.shown_subject(model)]

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
        if not self.scored:
            return None
        means = [self.rows(model)[self.info.score].astype(float).mean() for model in self.scored]
        return self.scored[int(np.argmax(np.nan_to_num(means, nan=-np.inf)))]

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
    """Known values by target id from rows indexed by target id."""
    if only_significant:
        rows = rows[rows["significant"].fillna(False).astype(bool)]
    values = rows[column].astype(float)
    return {int(target): value for target, value in values[np.isfinite(values)].items()}


def is_control(model: ModelInfo) -> bool:
    """Whether a model is a control: random weights, or manipulated training data.

    Earlier evaluations do not mark untrained models; only these have no fit folder.
    """
    return model.control != "none" or not model.fit


@dataclass(frozen=True)
class Comparison:
    """A comparison's document and table, ``a - b``."""

    folder: Path
    info: ComparisonInfo
    targets: Any

    @property
    def counted(self) -> Any:
        """The rows counted in the document's numbers of targets: those of single subjects."""
        single = self.targets[self.targets["subject"] != ALL]
        return single if len(single) else self.targets

    @property
    def shown_subject(self) -> str:
        """All subjects together, if there are such rows, else the first."""
        subjects = list(dict.fromkeys(self.targets["subject"]))
        return ALL if ALL in subjects else subjects[0]

    def rows(self, subject: str) -> Any:
        """Rows of one subject by target id."""
        return self.targets[self.targets["subject"] == subject].set_index("target_id")

    def map_values(self) -> dict[int, float]:
        """Significant differences of the shown subject by target id."""
        return drawn_values(self.rows(self.shown_subject), "difference", True)


@dataclass(frozen=True)
class Partition:
    """A variance partition's document and table."""

    folder: Path
    info: PartitionInfo
    targets: Any


AnyResult: TypeAlias = Evaluation | Comparison | Partition


@dataclass(frozen=True)
class Results:
    """Content of one page."""

    evaluations: tuple[Evaluation, ...]
    comparisons: tuple[Comparison, ...]
    partitions: tuple[Partition, ...]
    mesh: tuple[Path, ...] = ()

    @property
    def everything(self) -> tuple[AnyResult, ...]:
        """Evaluations, comparisons, partitions."""
        return (*self.evaluations, *self.comparisons, *self.partitions)

    def heading(self, evaluation: Evaluation) -> str:
        """Heading of an evaluation's part of a section: empty if there is only one."""
        if len(self.evaluations) == 1:
            return ""
        return elements.heading(self.label(evaluation))

    def section(self, title: str, anchor: str, content: Callable[[Evaluation], str]) -> str:
        """A section with a part for each evaluation whose `content` is not empty."""
        parts = [(evaluation, content(evaluation)) for evaluation in self.evaluations]
        texts = [text for each, own in parts if own for text in (self.heading(each), own)]
        return elements.section(title, anchor, texts)

    def label(self, evaluation: Evaluation) -> str:
        """Dataset and split, with the folder if several evaluations share them."""
        key = (evaluation.info.dataset, evaluation.info.split)
        n_same = sum((each.info.dataset, each.info.split) == key for each in self.evaluations)
        return ", ".join(key) + (f" ({evaluation.folder.name})" if n_same > 1 else "")

    def image_of(self, folder: str) -> Path | None:
        """Image of the targets of a comparison's evaluation, if it is found.

        Evaluations may have been moved: one of the same name on this page is used.
        """
        if path := image_in(Path(folder)):
            return path
        same = [each for each in self.evaluations if each.folder.name == Path(folder).name]
        return same[0].image if len(same) == 1 else None


def read_results(folders: Sequence[Path], mesh: Sequence[Path] = ()) -> Results:
    """Read evaluations, comparisons and partitions, in any order.

    Parameters
    ----------
    folders : sequence of Path
        Their folders.
    mesh : sequence of Path
        As for :func:`training.maps.surfaces.load_cortex`.

    Raises
    ------
    FileNotFoundError
        If a folder holds no result.
    ValueError
        If there are no folders, or one is damaged.
    """
    if not folders:
        raise ValueError("expected at least one folder of an evaluation, got none")
    evaluations, comparisons, partitions = [], [], []
    for folder in dict.fromkeys(Path(each) for each in folders):
        kind = kind_of(folder)
        if kind is EvaluationInfo:
            info = read_info(folder, EvaluationInfo)
            scores = _read(folder, "scores", SCORE_COLUMNS)
            targets = _read(folder, "targets", TARGET_COLUMNS)
            evaluations.append(Evaluation(folder, info, scores, targets))
        elif kind is ComparisonInfo:
            table = _read(folder, "targets", COMPARISON_COLUMNS)
            comparisons.append(Comparison(folder, read_info(folder, ComparisonInfo), table))
        else:
            document = read_info(folder, PartitionInfo)
            table = _read(folder, "targets", partition_columns(document.spaces))
            partitions.append(Partition(folder, document, table))
    return Results(tuple(evaluations), tuple(comparisons), tuple(partitions), tuple(mesh))


def partition_columns(spaces: Sequence[str]) -> tuple[str, ...]:
    """Required columns of a partition's table.

    Examples
    --------
    >>> partition_columns(["model"])[-4:]
    ('r2_full', 'shared', 'alone_model', 'unique_model')
    """
    keys = ("model", "subject", "target_id", "target_name", "r2_full", "shared")
    parts = (f"{part}_{space}" for space in spaces for part in ("alone", "unique"))
    return (*keys, *parts)


def _read(folder: Path, name: str, columns: Sequence[str]) -> Any:
    """A table, checked for its columns and at least one row; names as text."""
    table = read_table(folder, name)
    missing = [column for column in columns if column not in table.columns]
    if missing or not len(table):
        found = f"it lacks the columns {', '.join(missing)}" if missing else "it has no rows"
        raise ValueError(f"{folder / name}.parquet is damaged ({found}); recreate {folder}")
    texts = [c for c in ("model", "subject", "run", "target_name") if c in table.columns]
    return table.astype(dict.fromkeys(texts, str))
