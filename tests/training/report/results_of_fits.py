"""Folders of results for reports: an evaluation by the real writers, and changed copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.evaluation.compare import compare_models
from training.evaluation.folders import (
    EvaluationInfo,
    read_info,
    read_table,
    write_info,
    write_table,
)
from training.partition import PartitionSettings, partition
from training.report.results import Evaluation


def compared_and_partitioned(evaluation: Path, out: Path) -> list[Path]:
    """An evaluation of two models, their comparison, and the partition of the first one."""
    first, second = (model.name for model in read_info(evaluation, EvaluationInfo).models)
    compare_models(f"{evaluation}:{first}", f"{evaluation}:{second}", out / "comparison")
    settings = PartitionSettings(models=[first], spaces=["envelope"], n_mixtures=1)
    partition(evaluation, out / "partition", settings, progress=False)
    return [evaluation, out / "comparison", out / "partition"]


def changed(
    evaluation: Path,
    out: Path,
    scores: Callable[[Any], Any] = lambda table: table,
    targets: Callable[[Any], Any] = lambda table: table,
    **document: Any,
) -> Path:
    """A copy of an evaluation with other tables and another document."""
    shutil.copytree(evaluation, out)
    write_table(out, "scores", scores(read_table(out, "scores")))
    write_table(out, "targets", targets(read_table(out, "targets")))
    write_info(out, read_info(out, EvaluationInfo).model_copy(update=document))
    return out


def with_models(evaluation: Evaluation, models: Mapping[str, dict[str, Any]]) -> Evaluation:
    """An evaluation of variants of its first model, with its scores, by name."""
    first = evaluation.info.models[0]
    known = [first.model_copy(update={"name": name, **own}) for name, own in models.items()]
    tables = {}
    for table in ("scores", "targets"):
        import pandas

        rows = getattr(evaluation, table)
        rows = rows[rows["model"] == first.name]
        tables[table] = pandas.concat([rows.assign(model=name) for name in models])
    info = evaluation.info.model_copy(update={"models": tuple(known)})
    return replace(evaluation, info=info, **tables)
