"""Responses to 165 natural sounds (Norman-Haignere, Kanwisher and McDermott 2015), no time axis.

Targets are the six response components of the paper. All models have the same ten random splits
into 83 training and 82 test sounds; of the 83, twelve are for early stopping and model selection,
so that a fit trains on 71. Nothing is selected on test sounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.fits import Fitted, checkpoint_of
from benchmarks.encoding.natsound165_models import (
    CANDIDATES,
    LEARNED_EPOCHS,
    LEARNED_PATIENCE,
    LEARNED_RATE,
    MAX_EPOCHS,
    N_LEARNED,
    N_TEST,
    N_TRAIN,
    N_VALIDATION,
    PATIENCE,
    SOUNDS_PER_STEP,
    STARTS,
    TUNED_STAGE,
    Features,
    Pair,
    estimate,
    fit_frozen,
    fit_learned,
    fit_tuned,
    log_mel_features,
    name_of,
    permuted_control,
    prepare_sounds,
    ridge_scores,
    scores_of,
    split_of,
)

STAGES = ("pool5", "conv3", "conv4", "conv5", "conv7")  # the first one for the control
N_PERMUTATIONS = 99

START_NOTES = {
    "untrained": [
        "The network's weights are random (the untrained checkpoint): nothing here says what a "
        "trained SoundNet does."
    ],
    "pretrained": [
        "The network learned from sound alone, without labels and without a brain. The "
        "checkpoint natural-sounds is not used here: it has been aligned with these very sounds."
    ],
}
# Published with the data, for other random splits of the same size, trained on 83 sounds.
YARDSTICKS = {
    "mean and std of 128 log-mel bands": 0.295,
    "2-D modulation spectrum and the above": 0.633,
    "SoundNet with random weights, pool5 mean": 0.342,
    "SoundNet with random weights, conv7 mean": 0.239,
}


def run_natsound165(
    data: Path,
    out: Path,
    *,
    start: str = STARTS[0],
    n_splits: int = 10,
    stages: Sequence[str] = STAGES,
    candidates: Sequence[Mapping[str, Any]] = CANDIDATES,
    max_epochs: int = MAX_EPOCHS,
    learned_epochs: int = LEARNED_EPOCHS,
    n_permutations: int = N_PERMUTATIONS,
) -> dict[str, Any]:
    """From the recordings to the document of :mod:`benchmarks.encoding.results`.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    out : Path
        Folder for the prepared data and the fits; finished fits are reused.
    start : {"untrained", "pretrained"}
        The initial checkpoint of fits.
    n_splits, stages, candidates, max_epochs, learned_epochs, n_permutations
        Size of the experiment.
    """
    if start not in STARTS:
        raise ValueError(f"--start must be one of {', '.join(STARTS)}, got {start!r}")
    folder = data / "fmri" / "natsound165"
    prepared = prepare_sounds(folder, out / "prepared")
    runs_folder = out / start
    components = prepared.info.target_names
    seeds = range(n_splits)
    splits = [split_of(prepared, seed) for seed in seeds]
    stages = tuple(dict.fromkeys([*stages, TUNED_STAGE]))

    features: dict[str, Features] = {}
    disagreement = 0.0
    for stage in stages:
        run = fit_frozen(prepared, start, stage, seed=0, out=runs_folder / "frozen")
        tables = run.parts().predictor.features_of_runs(prepared.runs)
        features[stage] = dict(zip(prepared.runs, tables, strict=True))
        r2_of_fit = scores_of([run])[1]
        r2 = ridge_scores(prepared, features[stage], splits[:1])[1]
        disagreement = max(disagreement, float(np.abs(r2_of_fit - r2).max()))
    frozen = {stage: ridge_scores(prepared, table, splits) for stage, table in features.items()}
    learned = scores_of(
        [
            fit_learned(prepared, start, learned_epochs, seed, runs_folder / "learned")
            for seed in seeds
        ]
    )
    fits = [
        [
            fit_tuned(prepared, start, each, max_epochs, seed, runs_folder / "tuned")
            for each in candidates
        ]
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
        rows.append(row(f"fine-tuned, {name_of(each)}", TUNED_STAGE, scores))
    for name, table in [("log-mel mean and std", log_mel_features(prepared)), *features.items()]:
        scores = ridge_scores(prepared, table, splits, with_validation=True)
        rows.append(row(f"ridge on {N_LEARNED} sounds", name, scores, N_LEARNED))
    per_split = {f"{each['model']} {each['stage']}": each.pop("per split") for each in rows}

    baselines = (("frozen, ridge", frozen[TUNED_STAGE]), ("frozen, learned", learned))
    comparisons = [
        _difference(f"{name} - {baseline}", scores, of_baseline)
        for name, scores in [
            ("fine-tuned, chosen by validation", tuned),
            *((name_of(each), own) for each, own in zip(candidates, of_candidates, strict=True)),
        ]
        for baseline, of_baseline in baselines
    ]
    control = permuted_control(prepared, features[stages[0]], splits, n_permutations)
    return {
        "title": f"natsound165 from {start}: six components of the responses to 165 natural sounds",
        "command": f"python -m benchmarks encoding natsound165 --start {start} --data DATA "
        "--out WORK",
        "seeds": {"splits": list(seeds), "fits": list(seeds), "shuffles": [0]},
        "settings": {
            "start": start,
            "stages": list(stages),
            "split": {"test": N_TEST, "validation": N_VALIDATION, "train": N_TRAIN},
            "tuned_stage": TUNED_STAGE,
            "candidates": [dict(each) for each in candidates],
            "max_epochs": max_epochs,
            "patience": PATIENCE,
            "learned_read_out": {
                "learning_rate": LEARNED_RATE,
                "max_epochs": learned_epochs,
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
        "notes": _notes(start, n_permutations, float(frozen[TUNED_STAGE][1].mean(axis=1).min())),
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
        "R² difference, median": float(np.median(r2)),
    }


def _choices(
    tuned: Sequence[Fitted], chosen: Sequence[int], candidates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    return [
        {
            "candidate": name_of(each),
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


def _deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _notes(start: str, n_permutations: int, least_r2: float) -> list[str]:
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
        "Ridge: channels that vary less than the root mean square of all channels keep their "
        "smaller scale; made as loud as the others, those that are all but silent in the training "
        "sounds spoil the few test sounds that they answer to (least R² of frozen "
        f"{TUNED_STAGE} in a split, mean over components: {least_r2:.2f}).",
        *START_NOTES[start],
        "Which candidate is used is decided in each split by the mean r of its validation sounds. "
        "The candidates themselves were narrowed down by validation scores of two further splits "
        "(seeds 100 and 101) of the same 165 sounds.",
        "Frozen, learned read-out: gradient descent from zero on a network that stays as it is, "
        "stopped by validation. What fine-tuning gains over it is the network's.",
        f"p of the control is (1 + shuffles that reach it) / (1 + {n_permutations}). r² of chance "
        "is not 0: about 1/81 for unrelated predictions of 82 sounds.",
    ]
