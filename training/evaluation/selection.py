"""Selection of models, runs and targets to score, with the reasons for exclusions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hear_brainsoundnet.sound_files import shown
from training.data.prepared import DatasetInfo, Prepared, Run
from training.evaluation.held_out import FRESH, START, UNTESTED
from training.evaluation.models import Model
from training.evaluation.settings import EvaluationSettings
from training.evaluation.target_scores import ALL

N_NAMES = 8  # in a message, unless it says otherwise


@dataclass(frozen=True)
class Selection:
    """Selection of what is scored.

    Attributes
    ----------
    subjects : tuple of str
        The scored subjects.
    runs : dict
        For each model by name, the runs of each subject that it predicts.
    target_ids, target_names : tuple
        Targets common to all models and the data, ascending.
    excluded : tuple of str
        Exclusions, one sentence each.
    """

    subjects: tuple[str, ...]
    runs: dict[str, dict[str, list[Run]]]
    target_ids: tuple[int, ...]
    target_names: tuple[str, ...]
    excluded: tuple[str, ...]


def select(models: Sequence[Model], prepared: Prepared, settings: EvaluationSettings) -> Selection:
    """Select what is scored, before any computation.

    Raises
    ------
    ValueError
        If models and data are incompatible, or nothing is left to score.
    """
    for model in models:
        _refuse_other_data(model, prepared)
    targets, excluded = shared_targets(models, prepared.info)
    subjects = _subjects(prepared, settings.subjects)
    runs = [run for run in prepared.runs if run.subject in subjects]
    held_out, reasons = _held_out(models, prepared, runs, settings)
    excluded += reasons
    if not any(held_out.values()):
        advice = "; models of a cross-validation are scored with runs=own" * (len(models) > 1)
        raise ValueError(
            f"no run of {', '.join(subjects)} in {prepared.folder} is held out ({settings.split} "
            f"split): {' '.join(reasons)}{advice}"
        )
    chosen: dict[str, dict[str, list[Run]]] = {}
    for model in models:
        chosen[model.name] = {}
        for subject in subjects:
            own = [run for run in held_out[model.name] if run.subject == subject]
            if model.encoder.read_out.head_for(subject) is None:
                excluded.append(
                    f"{model.name} is not scored on {subject}, for whom it has no read-out."
                )
            elif own:
                chosen[model.name][subject] = own
    if not any(chosen.values()):
        raise ValueError(f"no model predicts {', '.join(subjects)}: {' '.join(excluded)}")
    scored = tuple(s for s in subjects if any(s in chosen[model.name] for model in models))
    names = dict(zip(prepared.info.target_ids, prepared.info.target_names, strict=True))
    return Selection(
        scored, chosen, targets, tuple(names[target] for target in targets), tuple(excluded)
    )


def shared_targets(models: Sequence[Model], info: DatasetInfo) -> tuple[tuple[int, ...], list[str]]:
    """Targets common to all models and the data, and sentences about the others.

    Raises
    ------
    ValueError
        If there are none, or the ids belong to different atlases.
    """
    owners = {model.name: set(model.encoder.read_out.target_ids) for model in models}
    for model in models:
        atlas = model.encoder.read_out.atlas
        if atlas and info.atlas and atlas != info.atlas:
            raise ValueError(
                f"{model.name} predicts targets of the atlas {atlas!r}, the data have "
                f"{info.atlas!r}: equal ids are not the same targets; prepare the data with the "
                "model's atlas"
            )
    owners[f"the dataset {info.name}"] = set(info.target_ids)
    shared = set.intersection(*owners.values())
    if not shared:
        lists = "; ".join(
            f"{name} has {shown(sorted(ids), N_NAMES)}" for name, ids in owners.items()
        )
        raise ValueError(f"models and data share no target id: {lists}")
    excluded = []
    for name, ids in owners.items():
        if more := sorted(ids - shared):
            excluded.append(
                f"Targets {shown(more, 1000)} of {name} are left out: not all models and data have "
                "them."
            )
    return tuple(sorted(shared)), excluded


def _refuse_other_data(model: Model, prepared: Prepared) -> None:
    """Kind, TR and sample rate must be the model's."""
    read_out, info = model.encoder.read_out, prepared.info
    kinds = {True: "responses to sounds without a time axis", False: "time series"}
    of_model, of_data = read_out.tr_sampling == "mean", info.kind == "sound_responses"
    if of_model != of_data:
        raise ValueError(
            f"{model.name} predicts {kinds[of_model]}, and {prepared.folder} holds "
            f"{kinds[of_data]}; evaluate models with the kind of data that they were fitted to"
        )
    if not math.isclose(read_out.tr, info.tr, rel_tol=1e-6):
        raise ValueError(
            f"{model.name} predicts at a TR of {read_out.tr:g} s, the runs in {prepared.folder} "
            f"have one of {info.tr:g} s; its delays do not apply there"
        )
    if model.encoder.sample_rate != info.sample_rate:
        raise ValueError(
            f"{model.name} expects {model.encoder.sample_rate} Hz, the audio in {prepared.folder} "
            f"was prepared at {info.sample_rate} Hz; prepare it with sample_rate: "
            f"{model.encoder.sample_rate}"
        )


def _subjects(prepared: Prepared, wanted: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(wanted) - set(prepared.subjects))
    if unknown:
        raise ValueError(
            f"subjects {', '.join(unknown)} are not in {prepared.folder}, which has "
            f"{', '.join(prepared.subjects)}"
        )
    subjects = tuple(dict.fromkeys(wanted)) or tuple(prepared.subjects)
    if ALL in subjects and len(subjects) > 1:
        raise ValueError(
            f"a subject of {prepared.folder} is named {ALL!r}, the name of all "
            "subjects together; prepare the data with another name, or leave the others out"
        )
    return subjects


def _held_out(
    models: Sequence[Model], prepared: Prepared, runs: Sequence[Run], settings: EvaluationSettings
) -> tuple[dict[str, list[Run]], list[str]]:
    """For each model the runs that it may be scored on, and the reasons for excluding others."""
    allowed = {"test", FRESH} if settings.split == "test" else {"validation"}
    held_out: dict[str, list[Run]] = {}
    reasons: dict[str, list[str]] = {}  # exclusions with reasons, and their models
    for model in models:
        splits = model.splits.splits_of(prepared, runs)
        held_out[model.name] = [run for run in runs if splits[run] in allowed]
        for split, meaning in (
            (START, "whose sound the network that it started from was fitted to"),
            ("train", "whose sound the model was trained on"),
            ("validation", "whose sound decided when its training stopped"),
            ("test", "whose sound is in its test split"),
            (FRESH, "whose sound is in none of its splits"),
            (UNTESTED, "whose sound no fold tests"),
        ):
            left_out = [run for run in runs if splits[run] == split and split not in allowed]
            if left_out:
                reasons.setdefault(f"{_listed(left_out)} {meaning}", []).append(model.name)
    if settings.runs == "own" or len(models) == 1:
        return held_out, _sentences(reasons)
    shared = set.intersection(*(set(own) for own in held_out.values()))
    for model in models:
        lost = [run for run in held_out[model.name] if run not in shared]
        if lost:
            why = f"{_listed(lost)} held out for some models but not for all"
            reasons.setdefault(why, []).append(model.name)
        held_out[model.name] = [run for run in held_out[model.name] if run in shared]
    return held_out, _sentences(reasons)


def _sentences(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """Examples
    --------
    >>> _sentences({"1 run (sub-01/a) whose sound the model was trained on": ["frozen", "tuned"]})
    ['Not scored: 1 run (sub-01/a) whose sound the model was trained on (models: frozen, tuned).']
    """
    return [
        f"Not scored: {what} (model{'s' * (len(models) > 1)}: {shown(models, 20)})."
        for what, models in reasons.items()
    ]


def _listed(runs: Sequence[Run]) -> str:
    """Examples
    --------
    >>> run = Run("sub-01", "a", "a", "", "a", "", 0.0, 1.49, 10)
    >>> _listed([run])
    '1 run (sub-01/a)'
    """
    kind = "run" if runs[0].tr else "sound"
    names = shown([f"{run.subject}/{run.name}" for run in runs], 3)
    return f"{len(runs)} {kind}{'s' * (len(runs) > 1)} ({names})"
