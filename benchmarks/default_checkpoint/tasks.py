"""Accuracy of logistic regression on embeddings, with full training sets."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, sem, t

from benchmarks.hear.few_shot import answers_by_split, labels_of
from benchmarks.hear.model_identity import model_for
from benchmarks.hear.scene_embeddings import scene_embeddings
from benchmarks.hear.task_folder import TaskFolder, find_tasks
from benchmarks.hear.tasks.fsdd import DIGITS_BY_SPEAKER
from hear_brainsoundnet.features import PRESETS

logger = logging.getLogger(__name__)

PLUGIN = "hear_brainsoundnet"
BASELINES = {
    "log-mel mean and std": "benchmarks.hear.logmel",
    "modulation spectrum": "benchmarks.hear.modulation_spectrum",
    "acoustic description": "benchmarks.hear.acoustic_description",
}


@dataclass(frozen=True)
class Accuracy:
    """Fraction of correct answers in each tested split, and its number of clips.

    With `splits_differ` the splits are what answers depend on, such as speakers: the interval is
    then Student's, over splits.

    Examples
    --------
    >>> accuracy = Accuracy((0.8, 0.9), (50, 50))
    >>> round(accuracy.mean, 3), str(accuracy)
    (0.85, '0.850 (0.767 to 0.907)')
    """

    splits: tuple[float, ...]
    n_clips: tuple[int, ...]
    splits_differ: bool = False

    @classmethod
    def of(cls, answers: Mapping[str, NDArray[np.bool_]], task: str = "") -> Accuracy:
        """Accuracy from the correctness of each clip of each tested split."""
        own = answers.values()
        fractions = tuple(float(each.mean()) for each in own)
        return cls(fractions, tuple(len(each) for each in own), task.startswith(DIGITS_BY_SPEAKER))

    @property
    def mean(self) -> float:
        """Over splits."""
        return float(np.mean(self.splits))

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval over all tested clips, or Student's over splits."""
        if self.splits_differ:
            error = sem(self.splits)
            low, high = t.interval(0.95, len(self.splits) - 1, self.mean, error)
            return float(low), float(high)
        n_right = sum(round(a * n) for a, n in zip(self.splits, self.n_clips, strict=True))
        found = binomtest(n_right, sum(self.n_clips)).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.mean:.3f} ({low:.3f} to {high:.3f})"


def linear_accuracy(
    module: str, checkpoint: str, options: Mapping[str, Any], task: TaskFolder, cache: Path
) -> Accuracy:
    """Accuracy of a logistic regression on standardised scene embeddings."""
    model = model_for([task], module, checkpoint, options)
    embeddings = scene_embeddings(model, task, cache / model.folder / f"{task.name}.npz")
    return Accuracy.of(answers_by_split(embeddings, labels_of(task)), task.name)


def measure_tasks(
    checkpoints: Mapping[str, str],
    presets: Sequence[str],
    tasks_folder: Path,
    work: Path,
) -> dict[str, Any]:
    """All checkpoints and the baselines on all tasks; the document of the page.

    Parameters
    ----------
    checkpoints : mapping
        Display name to the name or path of a checkpoint.
    presets : sequence of str
        Scene expressions of the package, or names of presets.
    tasks_folder, work : Path
        HEAR tasks, and a folder for embeddings.
    """
    tasks = find_tasks(tasks_folder, ())
    contenders: list[tuple[str, str, str, str, dict[str, Any]]] = [
        (name, "", module, "", {}) for name, module in BASELINES.items()
    ]
    contenders += [
        (name, preset, PLUGIN, path, {"preset" if preset in PRESETS else "scene": preset})
        for name, path in checkpoints.items()
        for preset in presets
    ]
    rows, folds = [], {}
    for name, preset, module, checkpoint, options in contenders:
        logger.info("%s %s", name, preset)
        row: dict[str, Any] = {"model": name, "scene embedding": preset}
        for task in tasks:
            accuracy = linear_accuracy(module, checkpoint, options, task, work / "embeddings")
            folds[f"{name} {preset} {task.name}"] = list(accuracy.splits)
            row[task.name] = str(accuracy)
        rows.append(row)
    return {
        "title": "Logistic regression on scene embeddings",
        "rows": rows,
        "notes": [
            "Accuracy, mean over the folds or the test set of each task, with Wilson's 95 % "
            "interval over all tested clips; for digits by held-out speaker Student's over the "
            "speakers. Standardised units, C = 1.",
        ],
        "details": {"folds": folds},
    }
