"""Inter-subject correlation of the scored runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Prepared, Run
from training.evaluation.measured import Measured
from training.evaluation.repeats import common_parts, presentations
from training.evaluation.settings import EvaluationSettings
from training.statistics import Pooling, inter_subject_correlation, pool

Values = NDArray[np.float64]


def all_listeners(scored: Mapping[str, Sequence[Run]], prepared: Prepared) -> dict[str, list[Run]]:
    """Runs by subject, with unscored subjects of the same stimuli as further listeners."""
    sounds = {(run.stimulus, round(run.start, 3)) for own in scored.values() for run in own}
    listeners = {subject: list(runs) for subject, runs in scored.items()}
    for run in prepared.runs:
        if run.subject not in scored and (run.stimulus, round(run.start, 3)) in sounds:
            listeners.setdefault(run.subject, []).append(run)
    return listeners


def refuse_listeners_alone(
    listeners: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> None:
    """Reject an inter-subject correlation that cannot be computed, before any computation.

    Raises
    ------
    ValueError
        If a subject shares no stimulus with another one.
    """
    if not settings.inter_subject:
        return
    heard = {subject for group in _groups(listeners) for subject in group}
    alone = [subject for subject in listeners if subject not in heard]
    if alone:
        raise ValueError(
            f"nobody else heard what {', '.join(alone)} did on the {settings.side} side: "
            "inter-subject correlation needs others; leave out subjects with other stimuli "
            "(subjects=[...]), or leave out inter_subject"
        )


def inter_subject_of(
    measured: Measured, listeners: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> dict[str, Values]:
    """r with the mean of the others, pooled over runs like scores, ``(n_targets,)`` by subject.

    Parameters
    ----------
    measured : Measured
        The responses.
    listeners : mapping
        Runs of each subject of the dataset on the scored side.
    settings : EvaluationSettings
        Settings; the result is empty if not requested.
    """
    if not settings.inter_subject:
        return {}
    scores: dict[str, list[Values]] = {subject: [] for subject in listeners}
    for group in _groups(listeners):
        parts = common_parts(group)
        courses = [
            measured.together(part.members)[part.rows] for own in parts.values() for part in own
        ]
        found = inter_subject_correlation(np.stack(courses))
        for subject, of_subject in zip(parts, found, strict=True):
            scores[subject].append(of_subject)
    pooling: Pooling = "fisher_z" if settings.pooling == "fisher_z" else "mean"
    return {subject: pool(np.stack(own), pooling) for subject, own in scores.items() if own}


def describe(listeners: Mapping[str, Sequence[Run]], settings: EvaluationSettings) -> str:
    """A sentence for the methods paragraph; "" if not requested."""
    if not settings.inter_subject:
        return ""
    return (
        "correlation of each subject with the mean of the others who heard the same "
        f"({len(listeners)} subjects in all), pooled over runs. It is no noise ceiling: the mean "
        "of the others holds noise of their own, and a model may score above it."
    )


def _groups(runs: Mapping[str, Sequence[Run]]) -> list[dict[str, list[Run]]]:
    """For each run all subjects who heard it, at least two; for sound responses all sounds in one
    group."""
    if any(run.tr == 0 for own in runs.values() for run in own):
        together = {subject: list(own) for subject, own in runs.items()}
        return [together] if len(runs) > 1 and all(common_parts(together).values()) else []
    heard = {subject: presentations(own) for subject, own in runs.items()}
    every = dict.fromkeys(key for own in heard.values() for key in own)
    groups = [{who: [own[key]] for who, own in heard.items() if key in own} for key in every]
    return [group for group in groups if len(group) > 1]
