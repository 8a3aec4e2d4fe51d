"""Published scores, and ranks among them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hear.official_tasks import OFFICIAL_TASKS

MODEL, URL = "Model", "URL"


@dataclass(frozen=True)
class Leaderboard:
    """Scores of published models; missing scores are never imputed.

    Attributes
    ----------
    models : tuple of str
    scores : dict
        By name of the task, then of the model.
    """

    models: tuple[str, ...]
    scores: dict[str, dict[str, float]]

    def of_task(self, task: str) -> list[float]:
        """All scores of a task, in the order of the models; empty for an unknown task."""
        return list(self.scores.get(task, {}).values())


def read_leaderboard(path: Path) -> Leaderboard:
    """Read a table with a row for each model and a column for each task of HEAR.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it has no models, none of HEAR's tasks, or a cell that is not a number.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no leaderboard {path}; give a csv file with the columns {MODEL} and the names of "
            "HEAR's tasks"
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        columns = list(reader.fieldnames or [])
    tasks = [task.name for task in OFFICIAL_TASKS if task.name in columns]
    if MODEL not in columns or not tasks or not rows:
        raise ValueError(
            f"{path} has {len(rows)} rows with the columns {columns}; expected {MODEL} and the "
            f"names of HEAR's tasks, such as {OFFICIAL_TASKS[0].name!r}"
        )
    scores: dict[str, dict[str, float]] = {task: {} for task in tasks}
    for row in rows:
        for task in tasks:
            cell = (row[task] or "").strip()
            if not cell:
                continue
            try:
                score = float(cell)
            except ValueError as error:
                raise ValueError(
                    f"{path}: {row[MODEL]}, {task}: expected a number or nothing, got {cell!r}"
                ) from error
            if math.isfinite(score):
                scores[task][row[MODEL]] = score
    return Leaderboard(tuple(row[MODEL] for row in rows), scores)


def rank_among(score: float, published: Sequence[float]) -> float:
    """Rank of a score among published ones, 1 the best; ties share their mean rank.

    Examples
    --------
    >>> rank_among(0.5, [0.9, 0.4]), rank_among(0.5, [0.9, 0.5, 0.5])
    (2.0, 3.0)
    """
    better = sum(other > score for other in published)
    equal = sum(other == score for other in published)
    return 1.0 + better + equal / 2


def rank_gain(
    score: float, baseline: float, published: Sequence[float], *, together: bool = False
) -> float:
    """Ranks gained over a baseline.

    Parameters
    ----------
    score, baseline : float
    published : sequence of float
    together : bool
        Rank both at once, as Freteault et al. 2025 do: passing the baseline is then one rank by
        itself, even without a published model between the two.

    Examples
    --------
    >>> rank_gain(0.5, 0.4, [0.9, 0.3]), rank_gain(0.5, 0.4, [0.9, 0.3], together=True)
    (0.0, 1.0)
    """
    if together:
        return rank_among(baseline, [*published, score]) - rank_among(score, [*published, baseline])
    return rank_among(baseline, published) - rank_among(score, published)
