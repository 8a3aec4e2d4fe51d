"""Held-out R² over minutes of training data, for several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.data.prepared import Prepared
from training.simulation import Truth

# R² and the best possible one, by minutes, group of parcels and model.
Scores = dict[tuple[int, str, str], tuple[float, float]]


def minutes_of(prepared: Prepared, subject: str, episodes: Sequence[str]) -> int:
    """Length of a subject's responses to some episodes, rounded."""
    runs = [run for run in prepared.runs if run.episode in episodes and run.subject == subject]
    return round(sum(run.n_trs * run.tr for run in runs) / 60)


def of_kind(truth: Truth, subject: str, kind: str) -> Any:
    """The truth about a subject's parcels of a kind, by target id."""
    table = truth.table
    return table[(table.kind == kind) & (table.subject == subject)].set_index("target_id")


def rows_over_minutes(of_seeds: Sequence[Scores], model: str) -> list[dict[str, Any]]:
    """Means over seeds, a row for each group of parcels, minutes and model.

    `model` is the name of the column of models.

    Examples
    --------
    >>> seeds = [{(8, "all", "a"): (0.25, 1)}, {(8, "all", "a"): (0.75, 1)}]
    >>> rows_over_minutes(seeds, "fit")[0]["R²"]
    0.5
    """
    rows = []
    first = next(iter(of_seeds[0]))[2]
    for key in of_seeds[0]:
        minutes, parcels, name = key
        values = np.array([own[key] for own in of_seeds])
        # Brains differ more than models on one brain: pairs show what a model brings.
        difference = values[:, 0] - [own[minutes, parcels, first][0] for own in of_seeds]
        several = len(values) > 1
        rows.append(
            {
                "parcels": parcels,
                "minutes": minutes,
                model: name,
                "R²": float(values[:, 0].mean()),
                "± over seeds": float(values[:, 0].std(ddof=1)) if several else None,
                f"minus {first}": float(difference.mean()),
                "± of it": float(difference.std(ddof=1)) if several else None,
                "best R²": float(values[:, 1].mean()),
            }
        )
    groups = list(dict.fromkeys(row["parcels"] for row in rows))
    return sorted(rows, key=lambda row: (groups.index(row["parcels"]), row["minutes"]))
