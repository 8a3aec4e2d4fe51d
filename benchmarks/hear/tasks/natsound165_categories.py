"""Categories of the 165 natural sounds of Norman-Haignere, Kanwisher and McDermott 2015.

Eleven categories of 4 to 39 sounds. Each category is distributed over five folds in random order;
the assignment continues where the previous category stopped, so that folds are of equal size.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.hear.tasks.task_writer import (
    LabelledClip,
    SceneTask,
    file_clip,
    fold_names,
    make_scene_task,
    no_data,
)

FOLDER = Path("fmri/natsound165")
TABLE = "category_labels.csv"
FOLDS = fold_names(5)
COMMAND = "python -m benchmarks hear tasks make-natsound165"
TASK = SceneTask(
    name="natsound165_categories-1.0.0-full",
    splits=tuple(FOLDS),
    seconds=2.0,
    command=COMMAND,
    about="""
- Source: the stimuli of S. Norman-Haignere, N. G. Kanwisher and J. H. McDermott, Distinct \
Cortical Pathways for Music and Speech Revealed by Hypothesis-Free Voxel Decomposition, Neuron \
2015, and their categories.
- Folds: each category dealt out to five folds in a random order (seed {seed}). The smallest has \
four sounds, so one fold has none of it.
- Licence: none stated; not to be passed on.""",
)


def make_natsound165(data_folder: Path, tasks_folder: Path, seed: int = 0) -> Path:
    """Make the task from ``fmri/natsound165``, unless it exists; returns its folder.

    Raises
    ------
    FileNotFoundError
        If table or sounds are missing.
    ValueError
        If the table is not one of sounds and categories.
    """
    command = f"{COMMAND} --seed {seed}"
    name = TASK.name if seed == 0 else TASK.name.replace("-1.0.0", f"_seed{seed}-1.0.0")
    return make_scene_task(
        replace(TASK, name=name, command=command, about=TASK.about.format(seed=seed)),
        tasks_folder,
        lambda: list_sounds(data_folder / FOLDER, seed),
    )


def list_sounds(folder: Path, seed: int) -> list[LabelledClip]:
    """All sounds with category and fold.

    Raises
    ------
    FileNotFoundError, ValueError
        See :func:`make_natsound165`.
    """
    rows = sound_categories(folder)
    by_category: dict[str, list[str]] = {}
    for sound, category in rows:
        by_category.setdefault(category, []).append(sound)
    generator = np.random.default_rng(seed)
    clips, dealt = [], 0
    for category in sorted(by_category):
        for index in generator.permutation(len(by_category[category])):
            path = folder / "sounds" / f"{by_category[category][index]}.wav"
            if not path.is_file():
                raise FileNotFoundError(f"{path} is missing but listed in {TABLE}")
            clips.append(file_clip(path, category, FOLDS[dealt % len(FOLDS)]))
            dealt += 1
    return sorted(clips, key=lambda clip: clip.name)


def sound_categories(folder: Path) -> list[tuple[str, str]]:
    """Each sound and its category, in the order of the table.

    Raises
    ------
    FileNotFoundError, ValueError
        See :func:`make_natsound165`.
    """
    table = folder / TABLE
    if not table.is_file():
        raise no_data(f"no {table}")
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows or any(len(row) != 2 for row in rows):
        raise ValueError(f"{table}: expected rows of a sound and its category; fetch it again")
    return [(sound, category) for sound, category in rows]
