"""Scores of measured models: mean and interval for each model and task.

For a task with folds, the values are those of its folds, each the mean over seeds: their spread
includes the choice of sounds and of seeds. Without folds, the values are those of seeds and do not
include the choice of sounds. A single value has no interval. Training sets of folds overlap, so
that intervals over folds are somewhat too narrow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.leaderboard import OfficialTask, official_task
from benchmarks.hear.scores import COLLECTED, FEW_SHOT, column_head, read_json

logger = logging.getLogger(__name__)

RUN_FIRST = (
    "name an output folder of python -m benchmarks hear run, or the folder of raw scores beside a "
    "results page"
)


@dataclass(frozen=True)
class TaskScore:
    """The first score of a task, for one model.

    Attributes
    ----------
    score : str
        heareval's name.
    mean, low, high : float
        Mean over `values` and its 95 % interval; NaN bounds for a single value.
    values : ndarray
        ``(n_values,)``: by fold, mean over seeds; by seed without folds.
    folds : tuple of str
        Names of the folds; empty if `values` are by seed.
    n_seeds : int
    train_seconds : float or None
        Training audio of the probe.
    task_hash : str
        Hash of the task as measured.
    """

    score: str
    mean: float
    low: float
    high: float
    values: NDArray[np.float64]
    folds: tuple[str, ...]
    n_seeds: int
    train_seconds: float | None
    task_hash: str

    @property
    def text(self) -> str:
        """Mean and interval, if there is one."""
        if np.isnan(self.low):
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class MeasuredModel:
    """A model, its name in tables, and its scores by name of the task.

    A task has the leaderboard's name if it is one of HEAR's, else that of its folder.
    """

    name: str
    checkpoint_hash: str
    scores: dict[str, TaskScore]


def read_models(places: Sequence[Path]) -> list[MeasuredModel]:
    """All models below these folders (or in these files), in order, without duplicates.

    A folder with only few-shot scores is skipped with a warning.

    Raises
    ------
    FileNotFoundError
        If a place holds no scores, or none does.
    ValueError
        If a file does not hold scores, two models have the same name, or they were measured on
        different versions of a task.
    """
    models: list[MeasuredModel] = []
    seen: set[Path] = set()
    for place in places:
        files = _score_files(place)
        if not files and (place / FEW_SHOT).exists():
            logger.warning("%s has no scores of run, only of few-shot; skipped", place)
            continue
        if not files:
            raise FileNotFoundError(f"no {COLLECTED} in {place}; {RUN_FIRST}")
        for file in files:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                models.append(measured_model(_scores_in(file)))
    if not models:
        raise FileNotFoundError(f"no {COLLECTED} in any of {len(places)} folders; {RUN_FIRST}")
    _check(models)
    return models


def measured_model(document: Mapping[str, Any]) -> MeasuredModel:
    """From a ``scores.json``: the scores of all tasks; undefined ones are left out."""
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for run in document["runs"]:
        runs.setdefault(run["task"], []).append(run)
    scores = {}
    for folder, own in runs.items():
        official = official_task(folder)
        score = _task_score(own, official)
        if score is not None:
            scores[official.name if official else folder] = score
    model = document["model"]
    return MeasuredModel(column_head(model), model["checkpoint_hash"], scores)


def _task_score(
    runs: Sequence[Mapping[str, Any]], official: OfficialTask | None
) -> TaskScore | None:
    from training.statistics import bootstrap_interval

    name = official.score if official else runs[0]["evaluation"][0]
    folds = tuple(sorted(runs[0]["splits"])) if len(runs[0]["splits"]) > 1 else ()
    if folds:
        by_seed = [[_number(run["splits"][fold][f"test_{name}"]) for fold in folds] for run in runs]
        table = np.array(by_seed, dtype=np.float64)
        known = np.isfinite(table).any(axis=0)
        values = np.nanmean(table[:, known], axis=0)
    else:
        values = np.array([_number(run["scores"].get(name)) for run in runs], dtype=np.float64)
        values = values[np.isfinite(values)]
    if not len(values):
        return None
    interval = bootstrap_interval(values[:, None])
    return TaskScore(
        score=name,
        mean=float(interval.estimate[0]),
        low=float(interval.low[0]),
        high=float(interval.high[0]),
        values=values,
        folds=folds,
        n_seeds=len(runs),
        train_seconds=official.train_seconds if official else runs[0].get("train_seconds"),
        task_hash=runs[0]["task_hash"],
    )


def _number(score: float | None) -> float:
    return np.nan if score is None else float(score)


def _score_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    raw = (path for path in place.glob("*.json") if path.name != FEW_SHOT)
    return sorted(place.rglob(COLLECTED)) or sorted(raw)


def _scores_in(file: Path) -> dict[str, Any]:
    document = read_json(file)
    if not isinstance(document, dict) or not {"model", "runs"} <= document.keys():
        raise ValueError(f"{file} holds no scores of a model; {RUN_FIRST}")
    return document


def _check(models: Sequence[MeasuredModel]) -> None:
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"{names.count(name)} results are of {name!r}; compare each model once: name the "
                "folders one by one"
            )
    hashes: dict[str, tuple[str, str]] = {}
    for model in models:
        for task, score in model.scores.items():
            first, task_hash = hashes.setdefault(task, (model.name, score.task_hash))
            if task_hash != score.task_hash:
                raise ValueError(
                    f"{task} is not the same task for {first!r} and {model.name!r}: sounds or "
                    "labels differ; run one of them again"
                )
