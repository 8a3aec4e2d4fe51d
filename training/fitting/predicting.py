"""Predictions, features and scores of windows and of whole runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.fast import FastSoundNet
from training.data.prepared import Run
from training.fitting.frozen import deepest_frozen_stage, frames_in_pieces
from training.fitting.windows import Batch, Window, WindowLoader, consecutive_windows
from training.scores import pearson_r, r2_score

SOUNDS_PER_BATCH = 16
SOUNDS = "sounds"  # name of the one comparison of all sounds without a time axis


@dataclass(frozen=True)
class Prediction:
    """Predicted and measured responses of windows of one subject.

    Attributes
    ----------
    windows : tuple of Window
        One per row.
    predicted, measured : Tensor
        ``(n_windows, n_trs, n_targets)``; NaN in `measured` where a subject lacks a target.
    """

    windows: tuple[Window, ...]
    predicted: Tensor
    measured: Tensor

    @property
    def subject(self) -> str:
        return self.windows[0].run.subject


class Predictor:
    """An encoder with the data to predict.

    Parameters
    ----------
    encoder : BrainEncoder
        The model.
    loader : WindowLoader
        Source of audio and responses.
    n_trs : int
        Length of the windows used to predict whole runs. It affects only memory, except with
        ``tr_sampling="crop"``, where windows are independent as in the published models.
    """

    def __init__(self, encoder: BrainEncoder, loader: WindowLoader, n_trs: int) -> None:
        self.encoder = encoder
        self.frozen_network = FastSoundNet(encoder.soundnet)
        self.loader = loader
        self.n_trs = n_trs

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def predict(self, windows: Sequence[Window]) -> Iterator[Prediction]:
        """Predictions of windows, in as few batches as their shapes allow."""
        for batch in self.loader.batches(windows):
            features = self.features(batch)
            head = self.encoder.read_out.head_for(batch.subject)
            predicted = self.encoder.respond(features, head)[:, batch.context :]
            yield Prediction(batch.windows, predicted, batch.bold.to(predicted.device))

    def predict_runs(self, runs: Sequence[Run]) -> list[NDArray[np.float32]]:
        """Predicted responses of each run, ``(n_trs, n_targets)``, in evaluation mode."""

        def rows(windows: Sequence[Window]) -> Iterator[tuple[Sequence[Window], Tensor]]:
            for prediction in self.predict(windows):
                yield prediction.windows, prediction.predicted

        return self._tables(runs, rows)

    def features_of_runs(self, runs: Sequence[Run]) -> list[NDArray[np.float32]]:
        """Features of the read-out, ``(n_trs, n_channels)`` each; equal stimuli are computed
        once."""
        keys = [(run.stimulus, run.start, run.n_trs) for run in runs]
        different = dict(zip(keys, runs, strict=True))

        def rows(windows: Sequence[Window]) -> Iterator[tuple[Sequence[Window], Tensor]]:
            for batch in self.loader.batches(windows):
                yield batch.windows, self.features(batch)[:, batch.context :]

        tables = self._tables(list(different.values()), rows)
        computed = dict(zip(different, tables, strict=True))
        return [computed[key] for key in keys]

    def features(self, batch: Batch) -> Tensor:
        """Features of the read-out for a batch, including its context."""
        sound = batch.sound.to(self.device)
        if self.loader.frozen is not None:
            stage, frames = self.loader.frozen.stage, sound
        else:
            lower = deepest_frozen_stage(self.encoder)
            if lower is None:
                return self.encoder.features(sound, batch.n_trs, start=batch.start)
            stage = lower
            frames = frames_in_pieces(
                self.frozen_network, lower, sound.shape[1], lambda start, stop: sound[:, start:stop]
            )
        return self.encoder.features_from(
            stage.name, frames, batch.n_samples, batch.n_trs, start=batch.start
        )

    def _tables(
        self,
        runs: Sequence[Run],
        rows: Callable[[Sequence[Window]], Iterator[tuple[Sequence[Window], Tensor]]],
    ) -> list[NDArray[np.float32]]:
        """Concatenated rows of whole runs."""
        tables: list[NDArray[np.float32]] = []
        with torch.no_grad(), _evaluation_mode(self.encoder):
            for some in _together(runs):
                windows = [consecutive_windows(run, self.n_trs) for run in some]
                pieces: dict[Window, NDArray[np.float32]] = {}
                for members, values in rows([window for own in windows for window in own]):
                    pieces.update(zip(members, values.float().cpu().numpy(), strict=True))
                tables.extend(np.concatenate([pieces[window] for window in own]) for own in windows)
        return tables


class _evaluation_mode:
    """Context in evaluation mode; the mode of each module is restored afterwards."""

    def __init__(self, encoder: BrainEncoder) -> None:
        self.encoder = encoder

    def __enter__(self) -> None:
        self.was_training = [module for module in self.encoder.modules() if module.training]
        self.encoder.eval()

    def __exit__(self, *_: object) -> None:
        for module in self.was_training:
            module.training = True


def _together(runs: Sequence[Run]) -> list[Sequence[Run]]:
    """Runs one by one, sounds in batches."""
    size = SOUNDS_PER_BATCH if runs and runs[0].tr == 0 else 1
    return [runs[first : first + size] for first in range(0, len(runs), size)]


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


def score_runs(predictor: Predictor, runs: Sequence[Run], split: str) -> list[dict[str, object]]:
    """Scores of each run and target: rows of ``scores.csv``.

    Columns: `split`, `subject`, `run` ("sounds" for sound responses: one score over all sounds of
    the split), `target_id`, `target_name`, `n_trs` (rows compared), `r` and `r2`.
    """
    read_out = predictor.encoder.read_out
    names = read_out.target_names or tuple(map(str, read_out.target_ids))
    rows: list[dict[str, object]] = []
    for comparison in compare(predictor, runs):
        r = pearson_r(comparison.measured, comparison.predicted)
        r2 = r2_score(comparison.measured, comparison.predicted)
        rows += [
            {
                "split": split,
                "subject": comparison.subject,
                "run": comparison.run,
                "target_id": target_id,
                "target_name": name,
                "n_trs": len(comparison.measured),
                "r": float(r[column]),
                "r2": float(r2[column]),
            }
            for column, (target_id, name) in enumerate(zip(read_out.target_ids, names, strict=True))
        ]
    return rows
