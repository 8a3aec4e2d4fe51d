"""A reopened model of an evaluation, with its training runs and features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Prepared, Run
from training.evaluation.folders import ModelInfo
from training.evaluation.models import load_model
from training.fitting.predicting import Predictor
from training.fitting.windows import WindowLoader


class FittedModel:
    """The best weights of a fit, with the dataset that it was evaluated on.

    Parameters
    ----------
    info : ModelInfo
        The model; `run` is the folder of its fit.
    prepared : Prepared
        The dataset of the evaluation: that of the fit, or another one.

    Raises
    ------
    FileNotFoundError
        If there is no fit, or its dataset is missing.
    ValueError
        If the fit is not finished, or has changed since the evaluation.
    """

    def __init__(self, info: ModelInfo, prepared: Prepared) -> None:
        if not info.run:
            raise FileNotFoundError("it is not from a fit and cannot be reopened")
        model = load_model(info.run, info.name)
        if model.info != info:
            raise ValueError(f"{info.run} was refitted after it was evaluated; evaluate it again")
        read_out = model.encoder.read_out
        loader = WindowLoader(prepared, read_out, model.encoder.stage, model.input_scale)
        self.name, self.prepared = info.name, prepared
        self.n_delays = read_out.n_delays
        self.predictor = Predictor(model.encoder, loader, model.window_trs)
        self._heard: dict[tuple[str, float, int], NDArray[np.float32]] = {}
        self._sides = model.heard.sides_of(prepared, prepared.runs)

    def runs_of(self, subject: str, side: str) -> list[Run]:
        """A subject's runs whose stimuli are on a side of the model's split.

        For subjects that the model was fitted to, these are the runs of the split; for others their
        runs with the same stimuli.
        """
        return [
            run for run in self.prepared.runs if run.subject == subject and self._sides[run] == side
        ]

    def features(self, runs: Sequence[Run]) -> list[NDArray[np.float32]]:
        """Features of the read-out in each run, ``(n_trs, n_channels)``; equal stimuli are computed
        once."""
        sounds = {(run.stimulus, run.start, run.n_trs): run for run in runs}
        new = {sound: run for sound, run in sounds.items() if sound not in self._heard}
        tables = self.predictor.features_of_runs(list(new.values()))
        self._heard.update(zip(new, tables, strict=True))
        return [self._heard[run.stimulus, run.start, run.n_trs] for run in runs]
