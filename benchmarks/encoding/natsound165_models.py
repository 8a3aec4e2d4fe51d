"""Models of the responses to 165 natural sounds: fits, and ridge on features computed once.

All use the same random splits; the test sounds of a split depend only on its seed.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.encoding.fits import Fitted, fitted, ridge_predictions
from benchmarks.hear import logmel
from training.data.prepared import INT16_SCALE, Prepared, Run
from training.data.splits import Split, SplitSettings, split_runs
from training.fitting.recipe import FitRecipe
from training.prepare.preparation import PrepareRecipe, prepare
from training.scores import pearson_r, r2_score

logger = logging.getLogger(__name__)

N_TEST, N_VALIDATION = 82, 12
N_LEARNED = 165 - N_TEST  # all but the test sounds
N_TRAIN = N_LEARNED - N_VALIDATION
SOUNDS_PER_STEP = 16
STARTS = ("untrained", "pretrained")  # the default was aligned with these sounds

# Fine-tuning from conv4. A ridge read-out of raw activations has small weights and needs a
# separate, lower rate; from zero both use the same.
TUNED_STAGE = "conv7"
CANDIDATES: tuple[Mapping[str, Any], ...] = (
    {
        "initial": "ridge",
        "loss": "correlation",
        "learning_rate": 4e-4,
        "read_out_learning_rate": 1e-6,
    },
    {
        "initial": "zero",
        "loss": "mse",
        "learning_rate": 3e-4,
        "read_out_learning_rate": 3e-4,
    },
)
MAX_EPOCHS, PATIENCE = 15, 5
# A frozen network with a read-out trained from zero: the read-out's part of the gain of
# fine-tuning.
LEARNED_RATE, LEARNED_EPOCHS, LEARNED_PATIENCE = 1e-3, 200, 20

Scores = NDArray[np.float64]  # (n_splits, n_components)
Pair = tuple[Scores, Scores]  # squared r, R²
Features = Mapping[Run, NDArray[np.float32]]  # (1, n_channels) of each sound


def prepare_sounds(folder: Path, out: Path, sounds: Path | None = None) -> Prepared:
    """Sounds and responses, as prepared by ``python -m training prepare``.

    Parameters
    ----------
    folder : Path
        Of the real recordings.
    out : Path
        Of the prepared dataset.
    sounds : Path, optional
        Folder with modified versions of the sounds.
    """
    table = folder / "components.mat"
    source = {"kind": "sound_responses", "sounds": sounds or folder / "sounds", "table": table}
    recipe = {"name": "natsound165", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def split_settings(seed: int) -> dict[str, Any]:
    """One of the splits; the test sounds depend only on the seed."""
    return {"test": {"count": N_TEST}, "validation": {"count": N_VALIDATION}, "seed": seed}


def fit_frozen(prepared: Prepared, start: str, stage: str, seed: int, out: Path) -> Fitted:
    """Ridge on the stage's mean activations; no optimiser step."""
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "start": start,
            "train_from": "none",
            "read_out": {"stage": stage, "initial": "ridge"},
            "split": split_settings(seed),
            "optimiser": {"max_epochs": 0},
            "seed": seed,
        }
    )
    logger.info("frozen %s, split %d", stage, seed)
    return fitted(recipe, out / f"{stage}-{seed}")


def fit_learned(prepared: Prepared, start: str, max_epochs: int, seed: int, out: Path) -> Fitted:
    """The frozen network with a read-out trained from zero, with early stopping."""
    optimiser = {
        "learning_rate": LEARNED_RATE,
        "max_epochs": max_epochs,
        "patience": LEARNED_PATIENCE,
    }
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "start": start,
            "train_from": "none",
            "read_out": {"stage": TUNED_STAGE, "initial": "zero"},
            "windows": {"batch_size": SOUNDS_PER_STEP},
            "split": split_settings(seed),
            "optimiser": optimiser,
            "seed": seed,
        }
    )
    logger.info("frozen %s, learned read-out, split %d", TUNED_STAGE, seed)
    return fitted(recipe, out / f"{TUNED_STAGE}-{seed}")


def fit_tuned(
    prepared: Prepared,
    start: str,
    candidate: Mapping[str, Any],
    max_epochs: int,
    seed: int,
    out: Path,
) -> Fitted:
    """Network and read-out trained; epoch 0, before any step, is kept if no other is better."""
    optimiser = {
        "learning_rate": candidate["learning_rate"],
        "read_out_learning_rate": candidate["read_out_learning_rate"],
        "max_epochs": max_epochs,
        "patience": PATIENCE,
        "plateau_patience": PATIENCE,
    }
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "start": start,
            "train_from": "conv4",
            "batchnorm": "frozen",
            "read_out": {"stage": TUNED_STAGE, "initial": candidate["initial"]},
            "loss": candidate["loss"],
            "windows": {"batch_size": SOUNDS_PER_STEP},
            "split": split_settings(seed),
            "optimiser": optimiser,
            "seed": seed,
        }
    )
    logger.info("fine-tuning %s, split %d", name_of(candidate), seed)
    return fitted(recipe, out / f"{_slug(candidate)}-{seed}")


def scores_of(runs: Iterable[Fitted]) -> Pair:
    """Squared r and R² of the test sounds, ``(n_splits, n_targets)`` each, from the fits' files."""
    r, r2 = [], []
    for run in runs:
        with (run.folder / "scores.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["side"] == "test"]
        r.append([float(row["r"]) for row in rows])
        r2.append([float(row["r2"]) for row in rows])
    return np.square(r), np.array(r2)


def estimate(scores: Scores) -> float:
    """Median over splits, then mean over components."""
    return float(np.median(scores, axis=0).mean())


def ridge_scores(
    prepared: Prepared,
    features: Features,
    splits: Sequence[Split],
    *,
    with_validation: bool = False,
) -> Pair:
    """Scores of a frozen fit on each split, from features computed once.

    Parameters
    ----------
    prepared : Prepared
        Responses.
    features : mapping
        Of each sound, ``(1, n_channels)``.
    splits : sequence of Split
        Training and test sounds.
    with_validation : bool
        Whether to train also on validation sounds, which are not needed here.
    """
    responses = {run: prepared.bold(run) for run in prepared.runs}
    pairs = [_ridge_pair(features, responses, split, with_validation) for split in splits]
    r, r2 = (np.array(each) for each in zip(*pairs, strict=True))
    return r, r2


def log_mel_features(prepared: Prepared) -> dict[Run, NDArray[np.float32]]:
    """Mean and standard deviation of 128 log-mel bands, ``(1, 256)`` for each sound."""
    model = logmel.load_model(sample_rate=prepared.info.sample_rate)
    features = {}
    for run in prepared.runs:
        audio = torch.from_numpy(prepared.audio(run.stimulus).astype(np.float32) / INT16_SCALE)
        features[run] = logmel.get_scene_embeddings(audio[None], model).numpy()
    return features


def permuted_control(
    prepared: Prepared, features: Features, splits: Sequence[Split], n_permutations: int
) -> dict[str, Any]:
    """Scores of the frozen read-out fitted to responses shuffled over sounds, all shuffles in
    parallel."""
    table = np.concatenate([prepared.bold(run) for run in prepared.runs])
    generator = np.random.default_rng(0)
    shuffled = [generator.permutation(table) for _ in range(n_permutations)]
    rows = np.concatenate([table, *shuffled], axis=1)[:, None]
    responses = dict(zip(prepared.runs, rows, strict=True))
    pairs = [_ridge_pair(features, responses, split, False) for split in splits]
    r = np.array([squared for squared, _ in pairs]).reshape(len(splits), -1, table.shape[1])
    observed, *null = np.median(r, axis=0).mean(axis=1)
    return {
        "r² in place": float(observed),
        "r² shuffled": float(np.mean(null)),
        "largest": float(np.max(null)),
        "p": float((1 + np.sum(np.array(null) >= observed)) / (1 + n_permutations)),
        "shuffles": n_permutations,
    }


def split_of(prepared: Prepared, seed: int) -> Split:
    return split_runs(prepared.runs, SplitSettings.model_validate(split_settings(seed)))


def _ridge_pair(
    features: Features, responses: Features, split: Split, with_validation: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    learned = [*split.train, *(split.validation if with_validation else ())]
    predicted = ridge_predictions(
        learned,
        [features[run] for run in learned],
        [responses[run] for run in learned],
        [features[run] for run in split.test],
        n_delays=1,
    )
    measured, together = (
        np.concatenate(each) for each in ([responses[run] for run in split.test], predicted)
    )
    return np.square(pearson_r(measured, together)), r2_score(measured, together)


def name_of(candidate: Mapping[str, Any]) -> str:
    """Name of a candidate on the page."""
    return "from {initial}, {loss}, rate {learning_rate:g}".format(**candidate)


def _slug(candidate: Mapping[str, Any]) -> str:
    return "{initial}-{loss}-{learning_rate:g}".format(**candidate)
