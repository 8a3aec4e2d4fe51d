"""``partition``: variance partition of an evaluation, written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hear_brainsoundnet.lock import one_job_per_folder
from training.data.prepared import Prepared, Run
from training.evaluation.folders import (
    EvaluationInfo,
    PartitionInfo,
    begin_folder,
    read_info,
    read_table,
    write_info,
    write_table,
)
from training.evaluation.measured import columns_of
from training.partition.one_subject import (
    MODEL,
    FittedModel,
    SoundFeatures,
    SubjectPartition,
    partition_subject,
)
from training.partition.settings import PartitionSettings
from training.progress import bar
from training.provenance import git_revision, typed_command, versions

TABLE = "targets"
USUAL = PartitionSettings()


@one_job_per_folder()
def partition(
    evaluation: str | Path,
    out: str | Path,
    settings: PartitionSettings = USUAL,
    *,
    progress: bool = True,
) -> PartitionInfo:
    """Variance that each model of an evaluation explains beyond low-level sound features.

    For each model and subject, regressions are fitted to the subject's runs of the episodes that
    the model was trained on, and scored on the runs that the evaluation scored; see
    :mod:`training.partition.variance`.

    Parameters
    ----------
    evaluation : path-like
        Folder of an evaluation of test or validation runs.
    out : path-like
        Folder to write. Columns of its table: model, subject, target_id, target_name, r2_full,
        r_full, alone_SPACE, unique_SPACE and shared, where SPACE is one of those of the settings
        or "model".
    settings : PartitionSettings
        Models, spaces and everything else.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    FileNotFoundError
        If the evaluation or its dataset is missing.
    ValueError
        If a model is unknown, the evaluation is of training runs, or nothing could be
        partitioned.

    Examples
    --------
    >>> partition("eval/friends", "eval/friends-partition")  # doctest: +SKIP
    """
    evaluation, out = Path(evaluation), Path(out)
    info = read_info(evaluation, EvaluationInfo)
    if info.split == "train":
        raise ValueError(
            f"{evaluation} scored training runs, which the regressions of a partition are fitted "
            "to; evaluate with split=test or split=validation"
        )
    known = [model.name for model in info.models]
    if unknown := [name for name in settings.models if name not in known]:
        raise ValueError(f"{evaluation} has no model {unknown[0]!r}; there are {', '.join(known)}")
    prepared = Prepared(info.dataset_folder)
    sounds = SoundFeatures(prepared, settings.spaces)
    runs = read_table(evaluation, "runs")
    begin_folder(out, PartitionInfo)
    tables, notes, excluded = [], [], []
    for name in settings.models or known:
        try:
            model = FittedModel(info.models[known.index(name)], prepared)
        except (FileNotFoundError, ValueError) as error:
            excluded.append(f"Model {name}: {error}.")
            continue
        for subject in bar(info.subjects, desc=name, shown=progress):
            try:
                found = partition_subject(
                    model,
                    sounds,
                    model.runs_of(subject, "train"),
                    _scored_runs(runs, model, subject),
                    columns_of(prepared.info.target_ids, info.target_ids),
                    settings,
                    info.pooling,
                )
            except ValueError as error:
                excluded.append(f"Model {name} on {subject}: {error}.")
                continue
            tables.append(_table(info, name, subject, found))
            notes += [f"Model {name} on {subject}: {note}" for note in found.notes]
    if not tables:
        raise ValueError("nothing could be partitioned. " + " ".join(excluded))
    import pandas

    result = PartitionInfo(
        command=typed_command(),
        evaluation=str(evaluation),
        spaces=(*settings.spaces, MODEL),
        settings=settings.recorded(),
        methods=settings.methods(kind=info.kind, pooling=info.pooling),
        excluded=tuple(excluded),
        notes=tuple(notes),
        seed=settings.seed,
        git_revision=git_revision(),
        versions=versions(),
    )
    write_table(out, TABLE, pandas.concat(tables, ignore_index=True))
    write_info(out, result)
    return result


def _scored_runs(table: Any, model: FittedModel, subject: str) -> list[Run]:
    """The runs of a subject, or sounds, that a model was scored on in the evaluation."""
    own = table[(table["model"] == model.name) & (table["subject"] == subject)]
    names = set(own["name"])
    return [run for run in model.prepared.runs if run.subject == subject and run.name in names]


def _table(info: EvaluationInfo, model: str, subject: str, found: SubjectPartition) -> Any:
    import pandas

    return pandas.DataFrame(
        {
            "model": model,
            "subject": subject,
            "target_id": list(info.target_ids),
            "target_name": list(info.target_names),
            **found.columns(),
        }
    )
