"""Goals and measured values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """A numeric goal.

    Attributes
    ----------
    work : str
        The work that takes time or memory.
    words : str
        The goal as text.
    experiment, key : str
        Location of the number, see :func:`numbers`.
    limit : float
        Minimum or maximum.
    at_least : bool
        Whether it is a minimum.
    form : str
        Format of the number.

    Examples
    --------
    >>> goal = Goal("walking", "at least 5 km/h", "walk", "speed", 5, form="{:.1f} km/h")
    >>> goal.row({"walk": {"speed": 4.0}})
    {'work': 'walking', 'goal': 'at least 5 km/h', 'measured': '4.0 km/h', 'reached': 'no'}
    >>> goal.row({})["measured"]
    'not measured'
    """

    work: str
    words: str
    experiment: str
    key: str
    limit: float
    at_least: bool = True
    form: str = "{:.2f} times"

    def row(self, found: Mapping[str, Mapping[str, float | None]]) -> dict[str, object]:
        """A row of the table, from the numbers of each experiment."""
        value = found.get(self.experiment, {}).get(self.key)
        if value is None:
            measured, reached = NOT_MEASURED, ""
        else:
            measured = self.form.format(value)
            is_reached = value >= self.limit if self.at_least else value <= self.limit
            reached = "yes" if is_reached else "no"
        return {"work": self.work, "goal": self.words, "measured": measured, "reached": reached}


CLIPS = "clips of 1, 4, 10, 60 s, batches of 1 and 16, scene and timestamps"
FOLDERS = "`hear-brainsoundnet embed` on 3,000 FSDD and 400 ESC-10 files"
GOALS = (
    Goal(CLIPS, "2.5 times the earlier recipe, geometric mean", "embedding", "clips", 2.5),
    Goal("the slowest of these", "never below 1.2 times", "embedding", "slowest clips", 1.2),
    Goal(
        "clips of 10 s and longer",
        "at least 40 % of the rate of matrix products",
        "embedding",
        "matrix rate",
        0.4,
        form="{:.0%}",
    ),
    Goal(
        "fast way against the plain network",
        "equal within 1e-5 of the range",
        "embedding",
        "difference",
        1e-5,
        at_least=False,
        form="{:.1e}",
    ),
    Goal("20 min and 2 h", "4 times the earlier recipe", "long", "long", 4),
    Goal(
        "memory above the model at 20 min and 2 h, scenes",
        "below 200 MB",
        "long",
        "memory",
        200,
        at_least=False,
        form="{:.0f} MB",
    ),
    Goal(FOLDERS, "3 times a plain loop with the earlier recipe", "folder", "folders", 3),
    Goal("the same", "3 times a plain loop with our own model", "folder", "folders, own loop", 3),
    Goal(
        "the command with one file, start to end",
        "below 2.5 s",
        "folder",
        "start",
        2.5,
        at_least=False,
        form="{:.2f} s",
    ),
    Goal(
        "an epoch from conv4 with the read-out: the first, a later one, or with crop",
        "2 times the earlier recipe",
        "epoch",
        "epoch",
        2,
    ),
    Goal(
        "waiting for the loader",
        "at most 10 % of an epoch",
        "epoch",
        "loading",
        0.1,
        at_least=False,
        form="{:.1%}",
    ),
    Goal(
        "preparation of film audio and of a WAV file",
        "at most 1.3 times reading and one pass of soxr",
        "preparation",
        "preparation",
        1.3,
        at_least=False,
    ),
    Goal(
        "every command of training with 87,000 TRs x 210 targets, 17,000 x 10,000",
        "at most 8 GB",
        "season",
        "season",
        8,
        at_least=False,
        form="{:.1f} GB",
    ),
    Goal(
        "ridge over 5,000 voxels, 100 penalties",
        "20 times one RidgeCV per voxel",
        "ridge",
        "ridge",
        20,
        form="{:.0f} times",
    ),
)


def numbers(experiment: str, document: Mapping[str, Any] | None) -> dict[str, float]:
    """Values compared with the goals, by key; some come from the rows of the table."""
    if document is None:
        return {}
    rows, found = document["rows"], dict(document.get("goals", {}))
    if experiment == "epoch":
        found["epoch"] = 1 / max(row["ratio"] for row in rows)
    if experiment == "preparation":
        found["preparation"] = max(row["ratio"] for row in rows)
    if experiment == "ridge":
        found["ridge"] = rows[0]["times faster"]
    return found


def goal_rows(documents: Mapping[str, Mapping[str, Any] | None]) -> list[dict[str, object]]:
    """The table of all goals.

    Parameters
    ----------
    documents : mapping
        By experiment; None if not measured.
    """
    found = {name: numbers(name, document) for name, document in documents.items()}
    return [goal.row(found) for goal in GOALS]
