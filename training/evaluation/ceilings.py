"""References beside the scores: noise ceilings from repeats, and inter-subject correlations.

A noise ceiling is the highest expected r of a model; an inter-subject correlation is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Prepared, Run
from training.evaluation.folders import CeilingInfo
from training.evaluation.measured import Measured
from training.evaluation.repeats import common_parts, presentations, repeated
from training.evaluation.settings import EvaluationSettings
from training.statistics import Pooling, inter_subject_correlation, pool, repeats_ceiling

Values = NDArray[np.float64]


def refuse_missing_repeats(runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings) -> None:
    """Reject a ceiling that cannot be estimated, before any computation.

    Raises
    ------
    ValueError
        If a subject has no repeats.
    """
    if settings.ceiling == "none":
        return
    if any(run.tr == 0 for own in runs.values() for run in own):
        raise ValueError(
            "a ceiling from repeats is for time series; for responses to sounds leave ceiling out"
        )
    without = [subject for subject, own in runs.items() if not repeated(own)]
    if without:
        raise ValueError(
            f"{', '.join(without)} had no stimulus twice in the {settings.split} split, and a "
            "ceiling from repeats needs two runs of the same stimulus in one subject; leave "
            "subjects without repeats out (subjects=[...]), or leave ceiling out"
        )


def ceilings_of(
    measured: Measured, runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> dict[str, Values]:
    """Ceiling of Pearson's r with single runs, ``(n_targets,)`` for each subject.

    Parameters
    ----------
    measured : Measured
        The responses.
    runs : mapping
        Runs of each subject of the dataset in the scored split.
    settings : EvaluationSettings
        Ceiling settings; the result is empty if there is none.
    """
    if settings.ceiling == "none":
        return {}
    return {
        subject: np.concatenate(
            [_from_repeats(measured, own, block) for block in measured.blocks()]
        )
        for subject, own in runs.items()
    }


def describe_ceilings(
    runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> CeilingInfo | None:
    """Provenance of the ceilings; None if not requested."""
    if settings.ceiling == "none":
        return None
    groups = [group for own in runs.values() for group in repeated(own)]
    sizes = sorted({len(group) for group in groups})
    words = (
        f"Square root of the mean correlation between repeats of a stimulus within a subject "
        f"({len(groups)} stimuli, each presented {' or '.join(map(str, sizes))} times): the "
        "highest expected r with a single run."
    )
    return CeilingInfo(method=settings.ceiling, floor=settings.ceiling_floor, description=words)


def _from_repeats(measured: Measured, runs: Sequence[Run], targets: slice) -> Values:
    stimuli = []
    for group in repeated(runs):
        n_trs = min(run.n_trs for run in group)
        stimuli.append(np.stack([measured.run(run, targets)[:n_trs] for run in group]))
    return repeats_ceiling(stimuli).ceiling_r


def with_other_subjects(
    scored: Mapping[str, Sequence[Run]], prepared: Prepared
) -> dict[str, list[Run]]:
    """Runs by subject, with unscored subjects of the same stimuli as further ones."""
    sounds = {(run.stimulus, round(run.start, 3)) for own in scored.values() for run in own}
    runs_by_subject = {subject: list(runs) for subject, runs in scored.items()}
    for run in prepared.runs:
        if run.subject not in scored and (run.stimulus, round(run.start, 3)) in sounds:
            runs_by_subject.setdefault(run.subject, []).append(run)
    return runs_by_subject


def refuse_subjects_alone(
    runs_by_subject: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> None:
    """Reject an inter-subject correlation that cannot be computed, before any computation.

    Raises
    ------
    ValueError
        If a subject shares no stimulus with another one.
    """
    if not settings.inter_subject:
        return
    presented = {subject for group in _groups(runs_by_subject) for subject in group}
    alone = [subject for subject in runs_by_subject if subject not in presented]
    if alone:
        raise ValueError(
            f"nobody else had the stimuli of {', '.join(alone)} in the {settings.split} split: "
            "inter-subject correlation needs others; leave out subjects with other stimuli "
            "(subjects=[...]), or leave out inter_subject"
        )


def inter_subject_of(
    measured: Measured, runs_by_subject: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> dict[str, Values]:
    """r with the mean of the others, pooled over runs like scores, ``(n_targets,)`` by subject.

    Parameters
    ----------
    measured : Measured
        The responses.
    runs_by_subject : mapping
        Runs of each subject of the dataset in the scored split.
    settings : EvaluationSettings
        Settings; the result is empty if not requested.
    """
    if not settings.inter_subject:
        return {}
    scores: dict[str, list[Values]] = {subject: [] for subject in runs_by_subject}
    for group in _groups(runs_by_subject):
        parts = common_parts(group)
        of_all = [part for own in parts.values() for part in own]
        found = np.concatenate(
            [
                inter_subject_correlation(
                    np.stack([measured.together(part.members, block)[part.rows] for part in of_all])
                )
                for block in measured.blocks()
            ],
            axis=1,
        )
        for subject, of_subject in zip(parts, found, strict=True):
            scores[subject].append(of_subject)
    pooling: Pooling = "fisher_z" if settings.pooling == "fisher_z" else "mean"
    return {subject: pool(np.stack(own), pooling) for subject, own in scores.items() if own}


def describe_inter_subject(
    runs_by_subject: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> str:
    """A sentence for the methods paragraph; "" if not requested."""
    if not settings.inter_subject:
        return ""
    return (
        "correlation of each subject with the mean of the others with the same stimuli "
        f"({len(runs_by_subject)} subjects in all), pooled over runs. It is no noise ceiling: the "
        "mean of the others holds noise of their own, and a model may score above it."
    )


def _groups(runs: Mapping[str, Sequence[Run]]) -> list[dict[str, list[Run]]]:
    """For each run all subjects with its stimulus, at least two; for sound responses all sounds in
    one group."""
    if any(run.tr == 0 for own in runs.values() for run in own):
        together = {subject: list(own) for subject, own in runs.items()}
        return [together] if len(runs) > 1 and all(common_parts(together).values()) else []
    presented = {subject: presentations(own) for subject, own in runs.items()}
    every = dict.fromkeys(key for own in presented.values() for key in own)
    groups = [{who: [own[key]] for who, own in presented.items() if key in own} for key in every]
    return [group for group in groups if len(group) > 1]
