"""Ablations of the pretraining: short trainings with one component removed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.correspondence.splits import random_splits
from benchmarks.default_checkpoint.components import (
    PRESET,
    STAGES,
    natural_sounds,
    squared_correlations,
    stage_summaries,
)
from benchmarks.default_checkpoint.tasks import PLUGIN, linear_accuracy
from benchmarks.hear.task_folder import find_tasks
from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.features import PRESETS
from training.config import read_recipe
from training.pretraining.folder import write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import PretrainRecipe
from training.teachers.table import TeacherTable

logger = logging.getLogger(__name__)

SEEDS = (0, 1)
RECIPES = Path(__file__).parents[2] / "training" / "recipes"
NO_MODULATIONS = ("objectives.modulation_spectrum=0", "objectives.modulation_power=0")


@dataclass(frozen=True)
class Ablation:
    """A recipe, what is changed in all its trainings, and in each.

    Attributes
    ----------
    title : str
    recipe : str
        Name of a file in ``training/recipes``.
    changes : tuple of str
        ``key=value`` for all trainings.
    parts : mapping
        Display name to the ``key=value`` of one training.
    scene : str
        Scene embedding for the tasks.
    """

    title: str
    recipe: str
    changes: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]
    scene: str


PRETRAINING = Ablation(
    "What each part of the pretraining brings",
    "pretrain.yaml",
    ("schedule.steps=300",),
    {
        "all parts": (),
        "without the contrast": ("objectives.contrast=0",),
        "without frames": ("objectives.frames=0",),
        "without bands": ("objectives.bands=0",),
        "without the modulation spectrum": ("objectives.modulation_spectrum=0",),
        "without modulation power": ("objectives.modulation_power=0",),
        "contrast alone": ("objectives.frames=0", "objectives.bands=0", *NO_MODULATIONS),
        "without changes to the crops": (
            *("augmentation.speed=0", "augmentation.filter_db=0"),
            *("augmentation.mixing=0", "augmentation.noise=0"),
        ),
        "kinds as they come": ("crops.balance_kinds=false",),
        "lower stages learn throughout": ("schedule.lower_until=1.0",),
    },
    "conv5:mean,std+conv7:mean,std",
)
# The third part of the distillation, at once from the original SoundNet and much shorter.
DISTILLATION = Ablation(
    "What each part of the distillation brings",
    "pretrain_mixed.yaml",
    (
        *("start=soundnet", "schedule.steps=240", "teachers.original.weight=0"),
        "teachers.original.stages=[conv5,conv6,conv7]",
    ),
    {
        "all parts": (),
        "without teachers": ("teachers={}",),
        "without modulations": NO_MODULATIONS,
        "without the original start": ("start=null",),
        "the original as a third teacher": ("teachers.original.weight=0.3",),
    },
    "default",
)
ABLATIONS: Mapping[str, Ablation] = {"ablation": PRETRAINING, "distillation": DISTILLATION}


def measure_ablation(
    kind: str,
    changes: Sequence[str],
    data: Path,
    tasks_folder: Path,
    work: Path,
    *,
    seeds: Sequence[int] = SEEDS,
) -> dict[str, Any]:
    """All short trainings; the document of the page. Finished ones are reused.

    Parameters
    ----------
    kind : str
        A key of :data:`ABLATIONS`.
    changes : sequence of str
        ``key=value`` for all trainings: corpus, tables of teachers, or fewer steps.
    data, tasks_folder, work : Path
        The real recordings, HEAR tasks, and a folder for trainings and embeddings.
    seeds : sequence of int
        Seeds of weights and crops.
    """
    ablation = ABLATIONS[kind]
    recipes = {  # all are validated before the first training, and their tables opened
        name: [
            read_recipe(
                RECIPES / ablation.recipe,
                PretrainRecipe,
                [*ablation.changes, *changes, *part, f"seed={seed}"],
            )
            for seed in seeds
        ]
        for name, part in ablation.parts.items()
    }
    for teacher in next(iter(recipes.values()))[0].teachers.values():
        TeacherTable(teacher.table)
    sounds = natural_sounds(data, work)
    splits = random_splits(len(sounds.audio))
    tasks = find_tasks(tasks_folder, ())
    rows = []
    for name, own in recipes.items():
        scores: dict[str, list[float]] = {}
        for recipe in own:
            logger.info("%s, seed %d", name, recipe.seed)
            path = _trained(name, recipe, work / kind)
            checkpoint = read_checkpoint(path)
            soundnet, scale = checkpoint.build_soundnet(), checkpoint.card.input_scale
            summaries = stage_summaries(soundnet, sounds.audio, scale)
            for stage in (*STAGES, PRESET):
                table = [
                    squared_correlations(summaries[stage], sounds.responses, each)
                    for each in splits
                ]
                score = float(np.median(np.stack(table), axis=0).mean())
                scores.setdefault(f"r² {stage}", []).append(score)
            options = {"preset" if ablation.scene in PRESETS else "scene": ablation.scene}
            for task in tasks:
                found = linear_accuracy(PLUGIN, str(path), options, task, work / "embeddings")
                scores.setdefault(task.name, []).append(found.mean)
        row: dict[str, Any] = {"pretraining": name}
        for measure, values in scores.items():
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            row[measure] = f"{np.mean(values):.3f}{spread}"
        rows.append(row)
    n_steps = next(iter(recipes.values()))[0].schedule.steps
    return {
        "title": ablation.title,
        "seeds": {"pretraining": list(seeds), "splits": [0]},
        "rows": rows,
        "settings": {
            "recipe": ablation.recipe,
            "changes": [*ablation.changes, *(c for c in changes if "/" not in c)],
            "parts": {name: list(part) for name, part in ablation.parts.items()},
        },
        "notes": [
            f"Trainings of {n_steps} steps, a fraction of the default's; mean and standard "
            "deviation over seeds. r²: six components of the responses to 165 natural sounds, "
            "ridge on mean and standard deviation of a stage's units, median over ten splits. "
            f"Tasks: logistic regression on the scene embedding `{ablation.scene}`.",
        ],
    }


def _trained(name: str, recipe: PretrainRecipe, work: Path) -> Path:
    folder = work / name.replace(" ", "-") / str(recipe.seed)
    pretrain(recipe, folder, resume=True, progress=False)
    out = folder / "soundnet.safetensors"
    if not out.exists():
        write_pretrained(folder, out, name=f"{name}, seed {recipe.seed}")
    return out
