"""Scores of a model on held-out runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.encoder import ReadOut
from training.data.prepared import Run
from training.fitting.predicting import Predictor
from training.scores import pearson_r, r2_score

SOUNDS = "sounds"


@dataclass(frozen=True)
class Score:
    """Score of one target of one run: a row of ``scores.csv``.

    Attributes
    ----------
    side : str
        {"train", "validation", "test"}.
    subject, run : str
        Subject and run; for sound responses `run` is "sounds": one score over all sounds of the
        side.
    target_id, target_name
        The target.
    n_trs : int
        Number of rows compared.
    r, r2 : float
        Pearson's r and R².
    """

    side: str
    subject: str
    run: str
    target_id: int
    target_name: str
    n_trs: int
    r: float
    r2: float

    def row(self) -> dict[str, object]:
        """As a row of a table."""
        return asdict(self)


def score_runs(predictor: Predictor, runs: Sequence[Run], side: str) -> list[Score]:
    """Scores of each run and target.

    Parameters
    ----------
    predictor : Predictor
        The model with its data.
    runs : sequence of Run
        Runs to score; may be empty.
    side : str
        Name of the side.
    """
    scores = []
    for comparison in compare(predictor, runs):
        scores.extend(_scores(predictor.encoder.read_out, side, comparison))
    return scores


@dataclass(frozen=True)
class Comparison:
    """Measured and predicted responses scored together: a run, or all sounds of a subject;
    ``(n_trs, n_targets)`` each."""

    subject: str
    run: str
    measured: NDArray[np.float32]
    predicted: NDArray[np.float32]


def compare(predictor: Predictor, runs: Sequence[Run]) -> Iterator[Comparison]:
    """Predict and pair with the measured responses, one comparison at a time."""
    for subject, name, together in compared_together(runs):
        yield Comparison(
            subject,
            name,
            np.concatenate([predictor.loader.bold(run) for run in together]),
            np.concatenate(predictor.predict_runs(together)),
        )


def compared_together(runs: Sequence[Run]) -> list[tuple[str, str, list[Run]]]:
    """Subject, name and runs of each comparison: every run, or all sounds of a subject."""
    sounds: dict[str, list[Run]] = {}
    for run in runs:
        if run.tr == 0:
            sounds.setdefault(run.subject, []).append(run)
    each = [(run.subject, run.name, [run]) for run in runs if run.tr > 0]
    return each + [(subject, SOUNDS, together) for subject, together in sounds.items()]


def _scores(read_out: ReadOut, side: str, comparison: Comparison) -> list[Score]:
    names = read_out.target_names or tuple(map(str, read_out.target_ids))
    r = pearson_r(comparison.measured, comparison.predicted)
    r2 = r2_score(comparison.measured, comparison.predicted)
    return [
        Score(
            side=side,
            subject=comparison.subject,
            run=comparison.run,
            target_id=target_id,
            target_name=name,
            n_trs=len(comparison.measured),
            r=float(r[column]),
            r2=float(r2[column]),
        )
        for column, (target_id, name) in enumerate(zip(read_out.target_ids, names, strict=True))
    ]
