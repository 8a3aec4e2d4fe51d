"""Responses to 165 natural sounds (Norman-Haignere, Kanwisher and McDermott 2015), no time axis.

Targets are the six response components of the paper. All models see the same ten random splits into
83 sounds to learn from and 82 to be tested on; of the 83, twelve decide when training stops and
which candidate is used, so that a fit trains on 71. Nothing is chosen by test sounds.
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

from benchmarks.encoding.fits import Fitted, checkpoint_of, fitted, ridge_predictions
from benchmarks.hear import logmel
from training.preparation import PrepareRecipe, prepare
from training.prepared import INT16_SCALE, Prepared, Run
from training.recipe import FitRecipe
from training.scores import pearson_r, r2_score
from training.splits import Split, SplitSettings, split_runs

logger = logging.getLogger(__name__)

N_TEST, N_VALIDATION = 82, 12
N_LEARNED = 165 - N_TEST  # what is not tested on
N_TRAIN = N_LEARNED - N_VALIDATION
STAGES = ("pool5", "conv3", "conv4", "conv5", "conv7")  # the first one for the control
N_PERMUTATIONS = 99
SOUNDS_PER_STEP = 16
START = "untrained"

# Fine-tuning from conv4. A ridge read-out of raw activations has small weights that large steps
# would blur, hence its own, lower rate; from zero both learn at the same.
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
# A frozen network whose read-out learns from zero: what of fine-tuning's gain is the read-out's.
LEARNED_RATE, LEARNED_EPOCHS, LEARNED_PATIENCE = 1e-3, 200, 20

# Measured beside the data, on other random splits of the same size, trained on 83 sounds.
YARDSTICKS = {
    "mean and std of 128 log-mel bands": 0.295,
    "2-D modulation spectrum and the above": 0.633,
    "SoundNet with random weights, pool5 mean": 0.342,
    "SoundNet with random weights, conv7 mean": 0.239,
}

Scores = NDArray[np.float64]  # (n_splits, n_components)
Pair = tuple[Scores, Scores]  # squared r, R²
Features = Mapping[Run, NDArray[np.float32]]  # (1, n_channels) of each sound


def run_natsound165(
    data: Path,
    out: Path,
    *,
    n_splits: int = 10,
    stages: Sequence[str] = STAGES,
    candidates: Sequence[Mapping[str, Any]] = CANDIDATES,
    max_epochs: int = MAX_EPOCHS,
    n_permutations: int = N_PERMUTATIONS,
) -> dict[str, Any]:
    """From the recordings to the document of :mod:`benchmarks.encoding.results`.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    out : Path
        Folder for the prepared data and the runs; finished runs there are not made again.
    n_splits, stages, candidates, max_epochs, n_permutations
        How much is done.
    """
    folder = data / "fmri" / "natsound165"
    prepared = prepare_sounds(folder, out / "prepared")
    components = prepared.info.target_names
    seeds = range(n_splits)
    splits = [_split(prepared, seed) for seed in seeds]
    stages = tuple(dict.fromkeys([*stages, TUNED_STAGE]))

    features: dict[str, Features] = {}
    disagreement = 0.0
    for stage in stages:
        run = fit_frozen(prepared, stage, seed=0, out=out / "frozen")
        tables = run.parts().predictor.features_of_runs(prepared.runs)
        features[stage] = dict(zip(prepared.runs, tables, strict=True))
        r2_of_fit = scores_of([run])[1]
        r2 = ridge_scores(prepared, features[stage], splits[:1])[1]
        disagreement = max(disagreement, float(np.abs(r2_of_fit - r2).max()))
    frozen = {stage: ridge_scores(prepared, table, splits) for stage, table in features.items()}
    learned = scores_of([fit_learned(prepared, seed, out / "learned") for seed in seeds])
    fits = [
        [fit_tuned(prepared, each, max_epochs, seed, out / "tuned") for each in candidates]
        for seed in seeds
    ]
    chosen = [int(np.argmax([run.validation_r for run in of_split])) for of_split in fits]
    tuned_fits = [of_split[choice] for of_split, choice in zip(fits, chosen, strict=True)]
    tuned = scores_of(tuned_fits)
    of_candidates = [scores_of(runs) for runs in zip(*fits, strict=True)]

    def row(model: str, stage: str, scores: Pair, n_sounds: int = N_TRAIN) -> dict[str, Any]:
        return _row(model, stage, n_sounds, scores, components)

    rows = [row("frozen, ridge read-out", stage, scores) for stage, scores in frozen.items()]
    rows.append(row("frozen, learned read-out", TUNED_STAGE, learned))
    rows.append(row("fine-tuned, chosen by validation", TUNED_STAGE, tuned))
    for each, scores in zip(candidates, of_candidates, strict=True):
        rows.append(row(f"fine-tuned, {_name(each)}", TUNED_STAGE, scores))
    for name, table in [("log-mel mean and std", log_mel_features(prepared)), *features.items()]:
        scores = ridge_scores(prepared, table, splits, with_validation=True)
        rows.append(row(f"ridge on {N_LEARNED} sounds", name, scores, N_LEARNED))
    per_split = {f"{each['model']} {each['stage']}": each.pop("per split") for each in rows}

    baselines = (("frozen, ridge", frozen[TUNED_STAGE]), ("frozen, learned", learned))
    comparisons = [
        _difference(f"{name} - {baseline}", scores, of_baseline)
        for name, scores in [
            ("fine-tuned, chosen by validation", tuned),
            *((_name(each), own) for each, own in zip(candidates, of_candidates, strict=True)),
        ]
        for baseline, of_baseline in baselines
    ]
    control = permuted_control(prepared, features[stages[0]], splits, n_permutations)
    return {
        "title": "natsound165: six components of the responses to 165 natural sounds",
        "command": "python -m benchmarks.encoding natsound165 --data DATA --out WORK",
        "seeds": {"splits": list(seeds), "fits": list(seeds), "shuffles": [0]},
        "settings": {
            "start": START,
            "stages": list(stages),
            "split": {"test": N_TEST, "validation": N_VALIDATION, "train": N_TRAIN},
            "tuned_stage": TUNED_STAGE,
            "candidates": [dict(each) for each in candidates],
            "max_epochs": max_epochs,
            "patience": PATIENCE,
            "learned_read_out": {
                "learning_rate": LEARNED_RATE,
                "max_epochs": LEARNED_EPOCHS,
                "patience": LEARNED_PATIENCE,
            },
            "sounds_per_step": SOUNDS_PER_STEP,
            "shuffles": n_permutations,
        },
        "rows": rows,
        "tables": [
            {"title": "Fine-tuned minus frozen, paired over the splits", "rows": comparisons},
            {
                "title": "What validation chose",
                "rows": _choices(tuned_fits, chosen, candidates),
            },
            {
                "title": "Control: responses shuffled over sounds",
                "rows": [{"model": "frozen, ridge read-out", "stage": stages[0], **control}],
            },
            {
                "title": "Yardsticks measured beside the data (ridge on 83 sounds, other splits)",
                "rows": [{"features": name, "r²": value} for name, value in YARDSTICKS.items()],
            },
        ],
        "notes": _notes(n_permutations),
        "details": {
            "components": list(components),
            "scores": per_split,
            "largest_difference_of_R2_between_fit_and_ridge": disagreement,
            "epochs_kept": [[run.best_epoch for run in of_split] for of_split in fits],
            "validation_r": [[run.validation_r for run in of_split] for of_split in fits],
            "checkpoint": checkpoint_of(
                tuned_fits[0], out / "natsound165.safetensors", "natsound165"
            ),
        },
    }


def prepare_sounds(folder: Path, out: Path) -> Prepared:
    """Sounds and responses, as ``python -m training prepare`` makes them."""
    table = folder / "components.mat"
    source = {"kind": "sound_responses", "sounds": folder / "sounds", "table": table}
    recipe = {"name": "natsound165", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def split_settings(seed: int) -> dict[str, Any]:
    """One of the splits; the test sounds depend on the seed alone."""
    return {"test": {"count": N_TEST}, "validation": {"count": N_VALIDATION}, "seed": seed}


def fit_frozen(prepared: Prepared, stage: str, seed: int, out: Path) -> Fitted:
    """Ridge from the stage's mean activations; no step is made."""
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "start": START,
            "train_from": "none",
            "read_out": {"stage": stage, "initial": "ridge"},
            "split": split_settings(seed),
            "optimiser": {"max_epochs": 0},
            "seed": seed,
        }
    )
    logger.info("frozen %s, split %d", stage, seed)
    return fitted(recipe, out / f"{stage}-{seed}")


def fit_learned(prepared: Prepared, seed: int, out: Path) -> Fitted:
    """The frozen network again, its read-out learned from zero and stopped by validation."""
    optimiser = {
        "learning_rate": LEARNED_RATE,
        "max_epochs": LEARNED_EPOCHS,
        "patience": LEARNED_PATIENCE,
    }
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "start": START,
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
    prepared: Prepared, candidate: Mapping[str, Any], max_epochs: int, seed: int, out: Path
) -> Fitted:
    """Network and read-out learn; epoch 0, before any step, is kept if no other is better."""
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
            "start": START,
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
    logger.info("fine-tuning %s, split %d", _name(candidate), seed)
    return fitted(recipe, out / f"{_slug(candidate)}-{seed}")


def scores_of(runs: Iterable[Fitted]) -> Pair:
    """Squared r and R² of the test sounds, ``(n_splits, n_targets)`` each, as the fits wrote it."""
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
    """What a frozen fit comes to on each split, from features that are computed once.

    Parameters
    ----------
    prepared : Prepared
        Responses.
    features : mapping
        Of each sound, ``(1, n_channels)``.
    splits : sequence of Split
        What is learned from and tested on.
    with_validation : bool
        Whether validation sounds, on which nothing is stopped here, are learned from too.
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
    """The frozen read-out of responses that belong to other sounds, all shuffles side by side."""
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


def _split(prepared: Prepared, seed: int) -> Split:
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


def _row(
    model: str,
    stage: str,
    n_sounds: int,
    scores: Pair,
    components: Sequence[str],
) -> dict[str, Any]:
    r, r2 = scores
    return {
        "model": model,
        "stage": stage,
        "sounds": n_sounds,
        "r²": estimate(r),
        "± over splits": _deviation(r.mean(axis=1)),
        "R²": estimate(r2),
        **{f"r² {name}": float(np.median(r[:, i])) for i, name in enumerate(components)},
        "per split": {"r2_of_correlation": r.tolist(), "r2_score": r2.tolist()},
    }


def _difference(name: str, one: Pair, other: Pair) -> dict[str, Any]:
    r, r2 = ((a - b).mean(axis=1) for a, b in zip(one, other, strict=True))
    return {
        "comparison": name,
        "r² difference": float(r.mean()),
        "± over splits": _deviation(r),
        "least": float(r.min()),
        "most": float(r.max()),
        "splits above 0": int((r > 0).sum()),
        "R² difference": float(r2.mean()),
        "± of R²": _deviation(r2),
    }


def _choices(
    tuned: Sequence[Fitted], chosen: Sequence[int], candidates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    return [
        {
            "candidate": _name(each),
            "splits": chosen.count(i),
            "epochs kept": ", ".join(
                str(run.best_epoch)
                for run, choice in zip(tuned, chosen, strict=True)
                if choice == i
            )
            or "-",
        }
        for i, each in enumerate(candidates)
    ]


def _name(candidate: Mapping[str, Any]) -> str:
    return "from {initial}, {loss}, rate {learning_rate:g}".format(**candidate)


def _slug(candidate: Mapping[str, Any]) -> str:
    return "{initial}-{loss}-{learning_rate:g}".format(**candidate)


def _deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _notes(n_permutations: int) -> list[str]:
    return [
        "r² is Pearson's r squared, R² is 1 - residual/total; they are different things. Both are "
        "medians over splits for each component, then means over the six.",
        f"Each of ten splits (seeds below) tests on {N_TEST} sounds. Of the other {N_LEARNED}, "
        f"{N_VALIDATION} decide when training stops and which candidate is used, so that fits "
        f"train on {N_TRAIN}. A frozen ridge read-out stops on nothing and is given the same "
        f"{N_TRAIN}, so that it can be paired with the fine-tuned one; rows of ridge on "
        f"{N_LEARNED} sounds use them all, as the yardsticks did.",
        "Frozen, ridge read-out: solved for from features that are computed once for all splits; "
        "on split 0 the scores are checked against those of `training fit` without a step.",
        "Splits share sounds, so that their spread is no standard error: it says how much one "
        "split differs from another.",
        "The network's weights are random (the untrained checkpoint): nothing here says what a "
        "trained SoundNet does.",
        "Which candidate is used is decided in each split by the mean r of its validation sounds. "
        "The candidates themselves were narrowed down by validation scores of two further splits "
        "(seeds 100 and 101) of the same 165 sounds.",
        "Frozen, learned read-out: gradient descent from zero on a network that stays as it is, "
        "stopped by validation. What fine-tuning gains over it is the network's.",
        f"p of the control is (1 + shuffles that reach it) / (1 + {n_permutations}). r² of chance "
        "is not 0: about 1/81 for unrelated predictions of 82 sounds.",
    ]
