"""Predictions for windows and for whole runs, and the features that they are made from.

While a network is frozen its features do not change. They are then computed once for each sound
and kept (4 kB per TR for conv7), so that fitting a read-out costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hear_brainsoundnet.encoder import BrainEncoder
from training.prepared import Run
from training.starting_weights import head_name
from training.windows import Batch, Window, WindowLoader, consecutive_windows

SOUNDS_PER_BATCH = 16


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
    """An encoder with the data that it predicts.

    Parameters
    ----------
    encoder : BrainEncoder
        The model.
    loader : WindowLoader
        Reads sounds and responses.
    n_trs : int
        Length of the windows in which whole runs are predicted. It changes nothing but the memory,
        except with ``alignment="crop"``, where each window begins anew as in the published models.
    keep_features : bool
        The network is frozen: its features are computed once. With ``alignment="crop"`` windows
        must then be consecutive ones of `n_trs`.
    """

    def __init__(
        self, encoder: BrainEncoder, loader: WindowLoader, n_trs: int, *, keep_features: bool
    ) -> None:
        self.encoder = encoder
        self.loader = loader
        self.n_trs = n_trs
        self.keep_features = keep_features
        self._features: dict[tuple[str, float, int], NDArray[np.float32]] = {}

    @property
    def device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def predict(self, windows: Sequence[Window]) -> Iterator[Prediction]:
        """Predictions of windows, in as few batches as their shapes allow."""
        batches = self._kept(windows) if self.keep_features else self._heard(windows)
        for batch, features in batches:
            name = head_name(self.encoder.read_out, batch.subject)
            predicted = self.encoder.respond(features, name)[:, batch.context :]
            yield Prediction(batch.windows, predicted, batch.bold.to(predicted.device))

    def predict_runs(self, runs: Sequence[Run]) -> list[NDArray[np.float32]]:
        """Predicted responses of each run, ``(n_trs, n_targets)``, in evaluation mode."""
        tables: list[NDArray[np.float32]] = []
        with torch.no_grad(), _evaluation_mode(self.encoder):
            for some in _together(runs):
                windows = [consecutive_windows(run, self.n_trs) for run in some]
                pieces: dict[Window, NDArray[np.float32]] = {}
                for prediction in self.predict([window for own in windows for window in own]):
                    rows = prediction.predicted.float().cpu().numpy()
                    pieces.update(zip(prediction.windows, rows, strict=True))
                tables.extend(np.concatenate([pieces[window] for window in own]) for own in windows)
        return tables

    def features_of_runs(self, runs: Sequence[Run]) -> list[NDArray[np.float32]]:
        """What the read-out reads, ``(n_trs, n_channels)`` each; equal sounds are heard once."""
        known = self._features if self.keep_features else {}
        new = {_key(run): run for run in runs if _key(run) not in known}
        with torch.no_grad(), _evaluation_mode(self.encoder):
            for some in _together(list(new.values())):
                windows = [
                    window for run in some for window in consecutive_windows(run, self.n_trs)
                ]
                pieces: dict[Window, NDArray[np.float32]] = {}
                for batch, features in self._heard(windows):
                    rows = features[:, batch.context :].float().cpu().numpy()
                    pieces.update(zip(batch.windows, rows, strict=True))
                for run in some:
                    own = [pieces[window] for window in windows if window.run == run]
                    known[_key(run)] = np.concatenate(own)
        return [known[_key(run)] for run in runs]

    def _heard(self, windows: Sequence[Window]) -> Iterator[tuple[Batch, Tensor]]:
        for batch in self.loader.batches(windows):
            audio = batch.audio.to(self.device)
            yield batch, self.encoder.features(audio, batch.n_trs, start=batch.start)

    def _kept(self, windows: Sequence[Window]) -> Iterator[tuple[Batch, Tensor]]:
        groups: dict[tuple[str, int, int], list[Window]] = {}
        for window in windows:
            context = self.loader.context(window)
            groups.setdefault((window.run.subject, window.n_trs, context), []).append(window)
        for (_, _, context), members in groups.items():
            tables = self.features_of_runs([window.run for window in members])
            features = np.stack(
                [
                    table[window.first - context : window.first + window.n_trs]
                    for table, window in zip(tables, members, strict=True)
                ]
            )
            bold = self.loader.bold_of(members)
            batch = Batch(tuple(members), torch.zeros(len(members), 0), bold, 0.0, context)
            yield batch, torch.from_numpy(features).to(self.device)


class _evaluation_mode:
    """Evaluation mode for a while; afterwards each module is as it was."""

    def __init__(self, encoder: BrainEncoder) -> None:
        self.encoder = encoder

    def __enter__(self) -> None:
        self.was_training = [module for module in self.encoder.modules() if module.training]
        self.encoder.eval()

    def __exit__(self, *_: object) -> None:
        for module in self.was_training:
            module.training = True


def _key(run: Run) -> tuple[str, float, int]:
    return run.stimulus, run.start, run.n_trs


def _together(runs: Sequence[Run]) -> list[Sequence[Run]]:
    """Runs one by one, sounds in batches."""
    size = SOUNDS_PER_BATCH if runs and runs[0].tr == 0 else 1
    return [runs[first : first + size] for first in range(0, len(runs), size)]
