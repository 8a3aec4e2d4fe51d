"""Ablations of the pretraining: short trainings with one component removed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.correspondence.splits import random_splits
from benchmarks.default_checkpoint.components import STAGES, squared_correlations, stage_summaries
from benchmarks.default_checkpoint.sounds import natural_sounds
from benchmarks.default_checkpoint.tasks import PLUGIN, linear_accuracy
from benchmarks.hear.task_folder import find_tasks
from hear_brainsoundnet.checkpoint import read_checkpoint
from training.pretraining.checkpoint import write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import PretrainRecipe

logger = logging.getLogger(__name__)

STEPS = 300
SEEDS = (0, 1)
SCENE = "conv5:mean,std+conv7:mean,std"
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "all parts": {},
    "without the contrast": {"objectives": {"contrast": 0}},
    "without frames": {"objectives": {"frames": 0}},
    "without bands": {"objectives": {"bands": 0}},
    "without the modulation spectrum": {"objectives": {"modulation_spectrum": 0}},
    "without modulation power": {"objectives": {"modulation_power": 0}},
    "contrast alone": {
        "objectives": {"frames": 0, "bands": 0, "modulation_spectrum": 0, "modulation_power": 0}
    },
    "without changes to the crops": {
        "augmentation": {"speed": 0, "filter_db": 0, "mixing": 0, "noise": 0}
    },
    "kinds as they come": {"crops": {"balance_kinds": False}},
    "lower stages learn throughout": {"schedule": {"lower_until": 1.0}},
}


def measure_ablation(
    corpus: Path,
    data: Path,
    tasks_folder: Path,
    work: Path,
    *,
    ablations: Mapping[str, Mapping[str, Any]] = ABLATIONS,
    seeds: Sequence[int] = SEEDS,
    steps: int = STEPS,
) -> dict[str, Any]:
    """All short trainings; the document of the page. Finished ones are reused.

    Parameters
    ----------
    corpus, data, tasks_folder, work : Path
        The corpus, the real recordings, HEAR tasks, and a folder for trainings and embeddings.
    ablations : mapping
        Display name to changes of the recipe.
    seeds : sequence of int
        Seeds of weights and crops.
    steps : int
        Steps of each training.
    """
    sounds = natural_sounds(data, work)
    splits = random_splits(len(sounds.audio))
    tasks = find_tasks(tasks_folder, ())
    rows = []
    for name, changes in ablations.items():
        scores: dict[str, list[float]] = {}
        for seed in seeds:
            logger.info("%s, seed %d", name, seed)
            path = _trained(name, changes, seed, steps, corpus, work)
            checkpoint = read_checkpoint(path)
            soundnet, scale = checkpoint.build_soundnet(), checkpoint.card.input_scale
            summaries = stage_summaries(soundnet, sounds.audio, scale)
            for stage in STAGES:
                table = [
                    squared_correlations(summaries[stage], sounds.responses, each)
                    for each in splits
                ]
                score = float(np.median(np.stack(table), axis=0).mean())
                scores.setdefault(f"r² {stage}", []).append(score)
            for task in tasks:
                found = linear_accuracy(
                    PLUGIN, str(path), {"scene": SCENE}, task, work / "embeddings"
                )
                scores.setdefault(task.name, []).append(found.mean)
        row: dict[str, Any] = {"pretraining": name}
        for measure, values in scores.items():
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            row[measure] = f"{np.mean(values):.3f}{spread}"
        rows.append(row)
    return {
        "title": "What each part of the pretraining brings",
        "command": "python -m benchmarks default-checkpoint ablation --corpus CORPUS --data DATA "
        "--tasks TASKS --out WORK",
        "seeds": {"pretraining": list(seeds), "splits": [0]},
        "rows": rows,
        "settings": {"steps": steps, "ablations": {k: dict(v) for k, v in ablations.items()}},
        "notes": [
            f"Runs of {steps} steps, a fraction of the default's; mean and standard deviation over "
            "seeds. r²: six components of the responses to 165 natural sounds, ridge on mean and "
            "standard deviation of a stage's units, median over ten splits. Tasks: logistic "
            "regression on "
            f"`{SCENE}`.",
        ],
    }


def _trained(
    name: str, changes: Mapping[str, Any], seed: int, steps: int, corpus: Path, work: Path
) -> Path:
    schedule = {"steps": steps, **changes.get("schedule", {})}
    recipe = PretrainRecipe.model_validate(
        {**changes, "corpus": corpus, "schedule": schedule, "seed": seed}
    )
    run = work / "ablation" / name.replace(" ", "-") / str(seed)
    pretrain(recipe, run, resume=True, progress=False)
    out = run / "soundnet.safetensors"
    if not out.exists():
        write_pretrained(run, out, name=f"{name}, seed {seed}")
    return out
