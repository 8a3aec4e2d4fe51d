"""Brain alignment: fine-tuning on responses to half of the sounds, tested on the other half.

The aligned network is averaged with its initial network, with several weights, so that fine-tuning
on 165 sounds does not lose what was learned from many hours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import (
    PRESET,
    STAGES,
    TOGETHER,
    squared_correlations,
    stage_summaries,
)
from benchmarks.default_checkpoint.conditions import (
    CONDITIONS,
    Condition,
    averaged_name,
    prepare_condition,
)
from benchmarks.default_checkpoint.natural_sounds import (
    as_lists,
    component_rows,
    scene_embeddings_of,
    stage_rows,
)
from benchmarks.default_checkpoint.sounds import natural_sounds
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.encoding.fits import Fitted, fitted
from benchmarks.encoding.natsound165 import N_TEST, N_VALIDATION
from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.named import load_checkpoint
from hear_brainsoundnet.soundnet import SoundNet
from training.data.prepared import Prepared
from training.data.splits import SplitSettings, split_runs
from training.fitting.averaging import averaged
from training.fitting.recipe import FitRecipe

logger = logging.getLogger(__name__)

N_SPLITS = 10
SHARES = (0.5, 1.0)  # weights of the aligned network in the average
SETTINGS: Mapping[str, Any] = {
    "train_from": "conv4",
    "batchnorm": "frozen",
    "read_out": {"stage": "pool5", "initial": "zero"},
    "loss": "mse",
    "windows": {"batch_size": 16},
    "optimiser": {
        "learning_rate": 1e-3,
        "read_out_learning_rate": 3e-3,
        "max_epochs": 40,
        "patience": 40,
        "plateau_patience": 5,
    },
}
Scores = dict[str, NDArray[np.float64]]  # by stage, (n_components,)


def alignment_recipe(prepared: Prepared, condition: Condition, start: Path, seed: int) -> FitRecipe:
    """The recipe of one fit: a split, a condition, the initial network."""
    return FitRecipe.model_validate(
        {
            **SETTINGS,
            "data": prepared.folder,
            "start": str(start),
            "split": split_settings(seed),
            "control": "permuted_brain" if condition == "permuted brain" else "none",
            "seed": seed,
        }
    )


def split_settings(seed: int) -> dict[str, Any]:
    """One of the splits; the test sounds depend only on the seed."""
    return {"test": {"count": N_TEST}, "validation": {"count": N_VALIDATION}, "seed": seed}


def aligned_soundnet(run: Fitted) -> SoundNet:
    """The network of a fit, with the selected weights."""
    return run.parts().encoder.soundnet.eval()


def measure_alignment(
    start: Path,
    data: Path,
    work: Path,
    *,
    n_splits: int = N_SPLITS,
    conditions: Sequence[Condition] = CONDITIONS,
    shares: Sequence[float] = SHARES,
) -> dict[str, Any]:
    """All conditions on all splits; the document of the page.

    Parameters
    ----------
    start : Path
        Checkpoint of the pretrained network.
    data : Path
        Folder of the real recordings.
    work : Path
        Folder for prepared data and fits; finished ones are reused.
    n_splits : int
        Random halvings of the sounds.
    conditions, shares
        Alignment targets, the brain first; weights of the aligned network in averages.
    """
    sounds = natural_sounds(data, work)
    prepared = {
        condition: prepare_condition(condition, sounds, data, work) for condition in conditions
    }
    pretrained = read_checkpoint(start)
    scale = pretrained.card.input_scale
    before = pretrained.build_soundnet()
    untrained = load_checkpoint("untrained")

    splits = [halves(sounds.prepared, seed) for seed in range(n_splits)]
    found: dict[str, list[Scores]] = {}

    def score(name: str, tables: Mapping[str, NDArray[Any]], which: Sequence[Split]) -> None:
        for split in which:
            found.setdefault(name, []).append(
                {
                    stage: squared_correlations(table, sounds.responses, split)
                    for stage, table in tables.items()
                }
            )

    def summaries(soundnet: SoundNet, input_scale: float = scale) -> Mapping[str, NDArray[Any]]:
        return stage_summaries(soundnet, sounds.audio, input_scale)

    for name, module in BASELINES.items():
        score(name, {PRESET: scene_embeddings_of(module, sounds.audio)}, splits)
    drawn = summaries(untrained.build_soundnet(), untrained.card.input_scale)
    score("random weights", drawn, splits)
    score("pretrained", summaries(before), splits)
    for seed, split in enumerate(splits):
        for condition in conditions:
            logger.info("%s, split %d", condition, seed)
            recipe = alignment_recipe(prepared[condition], condition, start, seed)
            run = fitted(recipe, work / "fits" / condition.replace(" ", "-") / str(seed))
            after = aligned_soundnet(run)
            for share in shares:
                tables = summaries(averaged(after, before, share))
                score(averaged_name(condition, share), tables, [split])
    return _document(found, sounds.components, pretrained.hash, n_splits, shares)


def halves(prepared: Prepared, seed: int) -> Split:
    """Indices of the training sounds (validation included), and of the test sounds."""
    split = split_runs(prepared.runs, SplitSettings.model_validate(split_settings(seed)))
    places = {run: place for place, run in enumerate(prepared.runs)}
    learned = sorted(places[run] for run in (*split.train, *split.validation))
    return Split(np.array(learned), np.array(sorted(places[run] for run in split.test)))


def _document(
    found: Mapping[str, Sequence[Scores]],
    names: Sequence[str],
    start: str,
    n_splits: int,
    shares: Sequence[float],
) -> dict[str, Any]:
    tables = {
        model: {stage: np.stack([each[stage] for each in scores]) for stage in scores[0]}
        for model, scores in found.items()
    }
    return {
        "title": "Alignment with responses to 165 natural sounds",
        "command": "python -m benchmarks default-checkpoint align --pretrained FILE --data DATA "
        "--out WORK",
        "seeds": {"splits": list(range(n_splits)), "fits": list(range(n_splits))},
        "rows": stage_rows(tables),
        "tables": [
            {
                "title": "By component, from the scene embedding of the default preset",
                "rows": component_rows(tables, names, "pretrained"),
            },
            *(
                {
                    "title": "The brain against its controls, paired over the splits, "
                    f"share {share:g}",
                    "rows": _comparisons(tables, share),
                }
                for share in shares
            ),
        ],
        "settings": {
            **SETTINGS,
            "start": start,
            "shares": list(shares),
            "split": {"test": N_TEST, "validation": N_VALIDATION},
        },
        "notes": [
            "Squared correlation on 82 sounds that neither fine-tuning nor read-out saw; median "
            "over splits, mean over six components. Ridge on mean and standard deviation over time "
            "of a stage's units (equal variance), learned from the other 83.",
            "Splits share sounds: their spread is no standard error.",
            "Log-mel and modulation spectrum: their scene embeddings in place of the preset's.",
            "All receive the sounds at the level of the default preset.",
            "Share: of the aligned network in the weighted mean with the pretrained one.",
            "Permuted brain: responses exchanged between sounds. SpectroTemporal: principal "
            "components of that baseline in place of the brain's, with the brain's variances.",
        ],
        "details": {"scores": as_lists(tables)},
    }


def _comparisons(
    tables: Mapping[str, Mapping[str, NDArray[np.float64]]], share: float
) -> list[dict[str, Any]]:
    brain = tables[averaged_name("brain", share)]
    rows = []
    for other in ("pretrained", *(averaged_name(each, share) for each in CONDITIONS[1:])):
        if other not in tables:
            continue
        row: dict[str, Any] = {"r² of the brain minus": other}
        for stage in (*STAGES, TOGETHER, PRESET):
            gain = (brain[stage] - tables[other][stage]).mean(axis=1)
            spread = f" ± {gain.std(ddof=1):.3f}" if len(gain) > 1 else ""
            row[stage] = f"{gain.mean():+.3f}{spread} ({(gain > 0).sum()} of {len(gain)} above 0)"
        rows.append(row)
    return rows
