"""``partition``: variance partition of an evaluation, written to a folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hear_brainsoundnet.lock import one_job_per_folder
from training.data.prepared import Prepared, Run
from training.evaluation.folders import (
    EvaluationInfo,
    PartitionInfo,
    read_info,
    read_table,
    write_info,
    write_table,
)
from training.evaluation.measured import columns_of
from training.evaluation.out_folder import begin_folder
from training.partition.banded_ridge import N_MIXTURES
from training.partition.choices import N_COMPONENTS, Choices
from training.partition.fitted_model import FittedModel
from training.partition.low_level import SPACES
from training.partition.one_subject import (
    MODEL,
    SoundFeatures,
    SubjectPartition,
    partition_subject,
)
from training.progress import bar
from training.provenance import git_revision, versions

TABLE = "targets"


@one_job_per_folder()
def partition(
    evaluation: str | Path,
    out: str | Path,
    *,
    spaces: Sequence[str] = SPACES,
    models: Sequence[str] = (),
    n_delays: int | None = None,
    n_components: int = N_COMPONENTS,
    n_mixtures: int = N_MIXTURES,
    seed: int = 0,
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
        r_full, alone_SPACE, unique_SPACE and shared, where SPACE is one of `spaces` or "model".
    spaces, n_delays, n_components, n_mixtures, seed
        See :class:`training.partition.choices.Choices`.
    models : sequence of str
        Names in the evaluation; empty for all.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    FileNotFoundError
        If the evaluation or its dataset is missing.
    ValueError
        If a space or model is unknown, the evaluation is of training runs, or nothing could be
        partitioned.

    Examples
    --------
    >>> partition("eval/friends", "eval/friends-partition")  # doctest: +SKIP
    """
    evaluation, out = Path(evaluation), Path(out)
    choices = Choices(tuple(spaces), n_delays, n_components, n_mixtures, seed)
    info = read_info(evaluation, EvaluationInfo)
    if info.side == "train":
        raise ValueError(
            f"{evaluation} scored training runs, which the regressions of a partition are fitted "
            "to; evaluate with --split test or validation"
        )
    known = [model.name for model in info.models]
    if unknown := [name for name in models if name not in known]:
        raise ValueError(f"{evaluation} has no model {unknown[0]!r}; there are {', '.join(known)}")
    prepared = Prepared(info.dataset_folder)
    sounds = SoundFeatures(prepared, choices.spaces)
    runs = read_table(evaluation, "runs")
    begin_folder(out, PartitionInfo)
    tables, notes, excluded = [], [], []
    for name in models or known:
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
                    choices,
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
        command=_command(evaluation, out, models, choices),
        evaluation=str(evaluation),
        spaces=(*choices.spaces, MODEL),
        settings=choices.settings(),
        methods=choices.methods(kind=info.kind, pooling=info.pooling),
        excluded=tuple(excluded),
        notes=tuple(notes),
        seed=seed,
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


def _command(evaluation: Path, out: Path, models: Sequence[str], choices: Choices) -> str:
    chosen = [word for name in models for word in ("--model", name)]
    words = ["partition", str(evaluation), "--out", str(out), *chosen, *choices.options()]
    return "python -m training " + shlex.join(words)
