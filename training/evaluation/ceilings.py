"""Noise ceilings of the scored runs, from repeats: the highest expected r of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Run
from training.evaluation.folders import CeilingInfo
from training.evaluation.measured import Measured
from training.evaluation.repeats import repeated
from training.evaluation.settings import EvaluationSettings
from training.statistics import repeats_ceiling

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
            f"{', '.join(without)} heard nothing twice on the {settings.side} side, and a ceiling "
            "from repeats needs two runs of the same stimulus in one subject; leave subjects "
            "without repeats out (subjects=[...]), or leave ceiling out"
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
        Runs of each subject of the dataset on the scored side.
    settings : EvaluationSettings
        Ceiling settings; the result is empty if there is none.
    """
    if settings.ceiling == "none":
        return {}
    return {subject: _from_repeats(measured, own) for subject, own in runs.items()}


def describe(runs: Mapping[str, Sequence[Run]], settings: EvaluationSettings) -> CeilingInfo | None:
    """Provenance of the ceilings; None if not requested."""
    if settings.ceiling == "none":
        return None
    groups = [group for own in runs.values() for group in repeated(own)]
    sizes = sorted({len(group) for group in groups})
    words = (
        f"Square root of the mean correlation between repeats of a stimulus within a subject "
        f"({len(groups)} stimuli, each heard {' or '.join(map(str, sizes))} times): the "
        "highest expected r with a single run."
    )
    return CeilingInfo(method=settings.ceiling, floor=settings.ceiling_floor, description=words)


def _from_repeats(measured: Measured, runs: Sequence[Run]) -> Values:
    stimuli = []
    for group in repeated(runs):
        n_trs = min(run.n_trs for run in group)
        stimuli.append(np.stack([measured.run(run)[:n_trs] for run in group]))
    return repeats_ceiling(stimuli).ceiling_r
