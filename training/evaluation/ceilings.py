"""Noise ceilings of the runs that are scored: the best r that a model could have there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation.folders import CeilingInfo
from training.evaluation.measured import Measured
from training.evaluation.repeats import common_parts, presentations, repeated
from training.evaluation.settings import EvaluationSettings
from training.prepared import Run
from training.statistics import Pooling, pool, repeats_ceiling, subjects_ceiling

Values = NDArray[np.float64]


def refuse_missing_repeats(runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings) -> None:
    """A ceiling that cannot be had is refused before anything is computed.

    Raises
    ------
    ValueError
        If a subject has no repeats, or has nothing in common with another one.
    """
    every = [run for own in runs.values() for run in own]
    if settings.ceiling == "repeats":
        if every[0].tr == 0:
            raise ValueError(
                "a ceiling from repeats is for time series; of responses to sounds ask for the "
                "ceiling from other subjects, or none"
            )
        without = [subject for subject, own in runs.items() if not repeated(own)]
        if without:
            raise ValueError(
                f"{', '.join(without)} heard nothing twice on the {settings.side} side, and a "
                "ceiling from repeats needs two runs of the same stimulus in one subject; leave "
                "subjects without repeats out (--subject), or ask for the ceiling from other "
                "subjects, or none"
            )
    if settings.ceiling == "other_subjects":
        heard = {subject for group in _listeners(runs) for subject in group}
        alone = [subject for subject in runs if subject not in heard]
        if alone:
            raise ValueError(
                f"nobody else heard what {', '.join(alone)} did on the {settings.side} side: "
                "without other listeners there is no ceiling from them; leave out who heard "
                "something else (--subject), or ask for the ceiling from repeats, or none"
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
        Runs of each subject of the dataset on the side that is scored.
    settings : EvaluationSettings
        Which ceiling.
    """
    if settings.ceiling == "repeats":
        return {subject: _from_repeats(measured, own) for subject, own in runs.items()}
    if settings.ceiling == "other_subjects":
        return _from_others(measured, runs, settings)
    return {}


def describe(runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings) -> CeilingInfo | None:
    """For the records; None where no ceiling was asked for."""
    if settings.ceiling == "none":
        return None
    if settings.ceiling == "repeats":
        groups = [group for own in runs.values() for group in repeated(own)]
        sizes = sorted({len(group) for group in groups})
        words = (
            f"Square root of the mean correlation between repeats of a stimulus within a subject "
            f"({len(groups)} stimuli, each heard {' or '.join(map(str, sizes))} times): the "
            "highest expected r with a single run."
        )
    else:
        words = (
            f"Correlation of each subject with the mean of the others who heard the same "
            f"({len(runs)} subjects in all), pooled over runs: a lower bound of the highest r "
            "that a model of what subjects share can reach."
        )
    return CeilingInfo(method=settings.ceiling, floor=settings.ceiling_floor, description=words)


def _from_repeats(measured: Measured, runs: Sequence[Run]) -> Values:
    stimuli = []
    for group in repeated(runs):
        n_trs = min(run.n_trs for run in group)
        stimuli.append(np.stack([measured.run(run)[:n_trs] for run in group]))
    return repeats_ceiling(stimuli).ceiling_r


def _from_others(
    measured: Measured, runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings
) -> dict[str, Values]:
    """r with the mean of the others, pooled over runs as scores are."""
    scores: dict[str, list[Values]] = {subject: [] for subject in runs}
    for listeners in _listeners(runs):
        parts = common_parts(listeners)
        courses = [
            measured.together(part.members)[part.rows] for own in parts.values() for part in own
        ]
        lower = subjects_ceiling(np.stack(courses)).lower
        for subject, of_subject in zip(parts, lower, strict=True):
            scores[subject].append(of_subject)
    pooling: Pooling = "fisher_z" if settings.pooling == "fisher_z" else "mean"
    return {subject: pool(np.stack(own), pooling) for subject, own in scores.items() if own}


def _listeners(runs: Mapping[str, Sequence[Run]]) -> list[dict[str, list[Run]]]:
    """For each run all who heard it, two at least; for sounds, everybody with all sounds."""
    if any(run.tr == 0 for own in runs.values() for run in own):
        together = {subject: list(own) for subject, own in runs.items()}
        return [together] if len(runs) > 1 and all(common_parts(together).values()) else []
    heard = {subject: presentations(own) for subject, own in runs.items()}
    every = dict.fromkeys(key for own in heard.values() for key in own)
    groups = [{who: [own[key]] for who, own in heard.items() if key in own} for key in every]
    return [group for group in groups if len(group) > 1]
