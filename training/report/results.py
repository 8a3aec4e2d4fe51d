"""Folders of a report, read and validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from training.data.prepared_files import image_in
from training.evaluation.folders import (
    COMPARISON_COLUMNS,
    SCORE_COLUMNS,
    TARGET_COLUMNS,
    ComparisonInfo,
    EvaluationInfo,
    PartitionInfo,
    kind_of,
    read_info,
    read_table,
)
from training.evaluation.target_scores import ALL
from training.report import elements
from training.report.evaluated import Evaluation, drawn_values


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
