"""Comparison of candidates on the development tasks, and their aggregate score.

The unit of the aggregate is the log odds, ln(correct / incorrect), with half a clip added to each:
a step from .50 to .62 counts as much as one from .90 to .94. It is averaged over the tasks of a
field, then over fields, so that four word tasks do not outweigh one speaker task.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.default_checkpoint.tasks import Accuracy
from benchmarks.development.candidates import (
    GAINS_DB,
    Candidate,
    Embeddings,
    embed_all,
    level_tables,
    mean_cosine,
    moved_by_click,
)
from benchmarks.development.excerpts import FRAMES, SCENES, short_name, task_name
from benchmarks.development.onsets import LABEL, onset_score
from benchmarks.hear.few_shot import answers_by_split, labels_of
from benchmarks.hear.task_folder import TaskFolder, common_sample_rate, find_tasks
from benchmarks.page import format_cell

FIELDS: Mapping[str, tuple[str, ...]] = {
    "sounds": ("kind", "event"),
    "speakers": ("speaker",),
    "words": ("phrase", "letter", "word", "word_telephone", "word_few"),
    "notes": ("instrument", "note"),
}

Answers = Mapping[str, NDArray[np.bool_]]  # by task, correctness of each clip
logger = logging.getLogger(__name__)
N_LEVEL_CLIPS = 60
OVERALL, AGAINST = "log odds", "against the first"


def log_odds(answers: NDArray[np.bool_]) -> float:
    """Log odds of a correct answer.

    Examples
    --------
    >>> log_odds(np.array([True, False])), round(log_odds(np.repeat([True, False], [75, 25])), 2)
    (0.0, 1.09)
    """
    right = int(np.sum(answers))
    return float(np.log((right + 0.5) / (len(answers) - right + 0.5)))


def overall(answers: Answers) -> float:
    """Mean of the fields' means; tasks and fields not measured do not count.

    Raises
    ------
    ValueError
        If no task of any field was measured.
    """
    return sum(weight * log_odds(answers[task]) for task, weight in weights(answers).items())


def difference(answers: Answers, reference: Answers) -> tuple[float, float]:
    """Difference to another candidate over the common tasks, and its standard error.

    Returns
    -------
    difference, standard_error : float
        In log odds. The error is over clips, paired between candidates (so that the difficulty of
        clips cancels), by the delta method.

    Examples
    --------
    >>> better = np.repeat([True, False], [60, 40])
    >>> difference({"kind": better}, {"kind": better})
    (0.0, 0.0)
    """
    own = weights({task: each for task, each in answers.items() if task in reference})
    found, variance = 0.0, 0.0
    for task, weight in own.items():
        mine, other = answers[task], reference[task]
        found += weight * (log_odds(mine) - log_odds(other))
        influences = [(each - each.mean()) / _slope(each) for each in (mine, other)]
        variance += weight**2 * float(np.var(influences[0] - influences[1])) / len(mine)
    return found, variance**0.5


def weights(answers: Answers) -> dict[str, float]:
    """Weight of each measured task in the mean.

    Raises
    ------
    ValueError
        If there are none.

    Examples
    --------
    >>> weights({"kind": np.ones(1, bool), "event": np.ones(1, bool), "speaker": np.ones(1, bool)})
    {'kind': 0.25, 'event': 0.25, 'speaker': 0.5}
    """
    fields = [[task for task in own if task in answers] for own in FIELDS.values()]
    fields = [own for own in fields if own]
    if not fields:
        known = ", ".join(task for own in FIELDS.values() for task in own)
        raise ValueError(f"expected development tasks ({known}), found none; make them first")
    return {task: 1 / (len(fields) * len(own)) for own in fields for task in own}


def _slope(answers: NDArray[np.bool_]) -> float:
    """Derivative of the fraction correct by log odds, bounded away from 0."""
    share = (np.sum(answers) + 0.5) / (len(answers) + 1)
    return float(share * (1 - share))


def measure(
    candidates: Sequence[Candidate],
    tasks_folder: Path,
    cache: Path,
    task_names: Sequence[str] = (),
) -> dict[str, Any]:
    """All candidates on all tasks; each is compared with the first.

    Parameters
    ----------
    candidates : sequence of Candidate
    tasks_folder : Path
        Output of ``python -m benchmarks development tasks``.
    cache : Path
        Folder for cached embeddings, so that another expression costs only its regressions.
    task_names : sequence of str
        Short names of scene tasks; if given, nothing else is measured.

    Raises
    ------
    FileNotFoundError, ValueError
        If a checkpoint, an expression or the tasks are missing or invalid.
    """
    tasks = find_tasks(tasks_folder / SCENES, [task_name(each) for each in task_names])
    frames = tasks_folder / FRAMES
    onsets = find_tasks(frames, [task_name(LABEL)]) if frames.exists() and not task_names else []
    others: dict[tuple[str, str, float | None], _Others] = {}
    columns = [candidate.columns() for candidate in candidates]  # errors are raised early
    rows, found = [], []
    for candidate, own in zip(candidates, columns, strict=True):
        embeddings = embed_all(candidate, tasks, cache)
        found.append(
            {short_name(task.name): answers_of(embeddings[task.name], own, task) for task in tasks}
        )
        row: dict[str, Any] = {
            "checkpoint": candidate.name,
            "scene": candidate.scene,
            "level": "preset's" if candidate.level is None else candidate.level,
            OVERALL: overall(found[-1]),
            AGAINST: "",
        }
        if len(found) > 1:
            gain, error = difference(found[-1], found[0])
            row[AGAINST] = f"{gain:+.3f} ± {error:.3f}"
        row |= {task: str(Accuracy.of({"all": each})) for task, each in found[-1].items()}
        if not task_names:
            key = (candidate.checkpoint, candidate.preset, candidate.level)
            if key not in others:
                others[key] = _Others.of(candidate, tasks, onsets)
            row |= others[key].cells(own)
        rows.append(row)
        logger.info("%s", ", ".join(f"{name} {format_cell(value)}" for name, value in row.items()))
    return {
        "title": "Development tasks",
        "rows": rows,
        "notes": [
            "Accuracy of a logistic regression on standardised scene embeddings (C = 1), with "
            "Wilson's 95 % interval over all tested clips.",
            f"{OVERALL}: of a right answer, mean over the tasks of a field and over fields "
            f"({', '.join(FIELDS)}); {AGAINST}: difference and standard error over clips.",
            "onset: F measure within 200 ms, from the frames of the preset, 95 % over draws of "
            f"clips. {', '.join(GAINS_DB)}: mean cosine with the embeddings of the same clips at "
            "their own level. click: how far one 10 s away moves a frame, in deviations of frames.",
        ],
        "details": {
            "answers": [
                {task: "".join("01"[int(each)] for each in own) for task, own in row.items()}
                for row in found
            ]
        },
    }


def answers_of(
    embeddings: Embeddings, columns: NDArray[np.int64], task: TaskFolder
) -> NDArray[np.bool_]:
    """Correctness for each tested clip of a task, from some columns of its embeddings."""
    own = {split: table[:, columns] for split, table in embeddings.items()}
    return np.concatenate(list(answers_by_split(own, labels_of(task)).values()))


@dataclass(frozen=True)
class _Others:
    """Results other than scene tasks, of one network, preset and level.

    Attributes
    ----------
    tables : mapping
        :func:`benchmarks.development.candidates.level_tables`.
    equal : dict
        The cells that are equal for all expressions.
    """

    tables: Mapping[str, NDArray[np.float32]]
    equal: Mapping[str, Any]

    @classmethod
    def of(
        cls, candidate: Candidate, tasks: Sequence[TaskFolder], onsets: Sequence[TaskFolder]
    ) -> _Others:
        scores = {short_name(task.name): str(onset_score(candidate, task)) for task in onsets}
        clips = clips_of_level(tasks[0])
        equal = {**scores, "click": moved_by_click(candidate)}
        return cls(level_tables(candidate, clips), equal)

    def cells(self, columns: NDArray[np.int64]) -> dict[str, Any]:
        own = self.tables[""][:, columns]
        cosines = {name: mean_cosine(own, self.tables[name][:, columns]) for name in GAINS_DB}
        return {**self.equal, **cosines}


def clips_of_level(task: TaskFolder) -> list[NDArray[np.float32]]:
    """Equally spaced clips of a task, :data:`N_LEVEL_CLIPS` in total, without silent ones."""
    folder = task.path / str(common_sample_rate([task]))
    paths = [folder / split / name for split, own in task.labels.items() for name in own]
    step = max(1, len(paths) // N_LEVEL_CLIPS)
    clips = (soundfile.read(path, dtype="float32")[0] for path in paths[::step][:N_LEVEL_CLIPS])
    return [clip for clip in clips if np.abs(clip).max() > 0]
