"""Variance partition of one model on one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Prepared, Run
from training.evaluation.folders import ModelInfo
from training.evaluation.models import load_model
from training.fitting.predicting import compared_together
from training.fitting.ridge import folds_by_episode
from training.partition.settings import PartitionSettings
from training.partition.spaces import FeatureSpace, low_level_features
from training.partition.variance import Decomposition, decompose
from training.statistics.pooling import Pooling

MODEL = "model"  # name of the feature space of the model

Features = NDArray[np.float32]  # (n_trs, n_channels)


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
        if not info.fit:
            raise FileNotFoundError("it is not from a fit and cannot be reopened")
        if info.n_folds:
            raise ValueError("it is a cross-validation; evaluate its folds with runs=own instead")
        model = load_model(info.fit, info.name)
        if model.info != info:
            raise ValueError(f"{info.fit} was refitted after it was evaluated; evaluate it again")
        self.name, self.prepared = info.name, prepared
        self.n_delays = model.encoder.read_out.n_delays
        self.predictor = model.predictor(prepared)
        self._heard: dict[tuple[str, float, int], Features] = {}
        self._splits = model.splits.splits_of(prepared, prepared.runs)

    def runs_of(self, subject: str, split: str) -> list[Run]:
        """A subject's runs whose stimuli are in a split of the model.

        For subjects that the model was fitted to, these are the runs of the split; for others their
        runs with the same stimuli.
        """
        return [
            run
            for run in self.prepared.runs
            if run.subject == subject and self._splits[run] == split
        ]

    def features(self, runs: Sequence[Run]) -> list[Features]:
        """Features of the read-out in each run, ``(n_trs, n_channels)``; equal stimuli are computed
        once."""
        sounds = {(run.stimulus, run.start, run.n_trs): run for run in runs}
        new = {sound: run for sound, run in sounds.items() if sound not in self._heard}
        tables = self.predictor.features_of_runs(list(new.values()))
        self._heard.update(zip(new, tables, strict=True))
        return [self._heard[run.stimulus, run.start, run.n_trs] for run in runs]


class SoundFeatures:
    """Low-level features of runs; equal stimuli are computed once."""

    def __init__(self, prepared: Prepared, spaces: Sequence[str]) -> None:
        self.prepared, self.spaces = prepared, spaces
        self._heard: dict[tuple[str, float, int], dict[str, Features]] = {}

    def of(self, run: Run) -> dict[str, Features]:
        """Features by space, ``(n_trs, n_channels)``."""
        key = (run.stimulus, run.start, run.n_trs)
        if key not in self._heard:
            self._heard[key] = low_level_features(self.prepared, run, self.spaces)
        return self._heard[key]


@dataclass(frozen=True)
class SubjectPartition:
    """Partition of one model and subject.

    Attributes
    ----------
    there : ndarray
        ``(n_targets,)`` bool: targets that exist in all training runs of the subject.
    decomposition : Decomposition
        Result for these targets.
    notes : tuple of str
        Remarks for the reader.
    """

    there: NDArray[np.bool_]
    decomposition: Decomposition
    notes: tuple[str, ...]

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Columns of the table, ``(n_targets,)`` each; NaN for missing targets."""
        parts = self.decomposition
        values = {"r2_full": parts.r2_full, "r_full": parts.r_full}
        values |= {f"alone_{space}": own for space, own in parts.alone.items()}
        values |= {f"unique_{space}": own for space, own in parts.unique.items()}
        values["shared"] = parts.shared
        table = {}
        for name, own in values.items():
            table[name] = np.full(len(self.there), np.nan)
            table[name][self.there] = own
        return table


def partition_subject(
    model: FittedModel,
    sounds: SoundFeatures,
    training: Sequence[Run],
    scored: Sequence[Run],
    targets: Sequence[int],
    settings: PartitionSettings,
    pooling: Pooling = "mean",
) -> SubjectPartition:
    """Fit to training runs and score others.

    Parameters
    ----------
    model : FittedModel
        Provides the space "model".
    sounds : SoundFeatures
        Provides the other spaces.
    training, scored : sequence of Run
        Of one subject; no episode in both splits.
    targets : sequence of int
        Columns of the prepared responses.
    settings : PartitionSettings
        Settings.
    pooling : str
        {"mean", "fisher_z", "concatenated"}, over runs.

    Raises
    ------
    ValueError
        If there is nothing to fit to or to score, a scored run was trained on, or a space does not
        vary.
    """
    if not training or not scored:
        which = "scored" if training else "training"
        raise ValueError(f"there are no {which} runs")
    episodes = {run.episode for run in training}
    if both := sorted(episodes & {run.episode for run in scored}):
        raise ValueError(f"episode {both[0]!r} is scored and was trained on")

    def responses(runs: Sequence[Run]) -> NDArray[np.float32]:
        return np.concatenate([model.prepared.bold(run)[:, list(targets)] for run in runs])

    y = responses(training)
    there = np.asarray(np.isfinite(y).all(axis=0))
    if not there.any():
        raise ValueError("no target has responses in all training runs")
    features = _features(model, sounds, [*training, *scored])
    delays = 1 if model.prepared.info.tr == 0 else settings.n_delays or model.n_delays
    spaces = {
        name: FeatureSpace(
            name,
            [features[run][name] for run in training],
            n_delays=delays,
            n_components=settings.n_components,
        )
        for name in (*settings.spaces, MODEL)
    }

    def columns(runs: Sequence[Run]) -> dict[str, Features]:
        return {
            name: space.apply_all([features[run][name] for run in runs])
            for name, space in spaces.items()
        }

    decomposition = decompose(
        columns(training),
        y[:, there],
        [
            (responses(together)[:, there], columns(together))
            for _, _, together in compared_together(scored)
        ],
        folds_by_episode([run.episode for run in training for _ in range(run.n_trs)]),
        pooling=pooling,
        n_random=settings.n_mixtures,
        seed=settings.seed,
    )
    return SubjectPartition(
        there, decomposition, tuple(_notes(list(spaces.values()), len(episodes)))
    )


def _features(
    model: FittedModel, sounds: SoundFeatures, runs: Sequence[Run]
) -> dict[Run, dict[str, Features]]:
    of_model = model.features(runs)
    return {run: {**sounds.of(run), MODEL: own} for run, own in zip(runs, of_model, strict=True)}


def _notes(spaces: Sequence[FeatureSpace], n_episodes: int) -> list[str]:
    notes = [
        f"{space.n_kept} principal components stand for the {space.n_channels} channels of space "
        f"{space.name} ({100 * space.explained:.1f} % of their variance)."
        for space in spaces
        if space.n_kept < space.n_channels
    ]
    if n_episodes == 1:
        notes.append(
            "There is one training episode: regularisation was chosen by folds of consecutive rows "
            "within it."
        )
    return notes
