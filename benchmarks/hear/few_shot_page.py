"""Few-shot section of the results page, from ``few-shot.json`` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.hear.compare import pair_statistics
from benchmarks.results_page import format_table

Document = Mapping[str, Any]


def few_shot_lines(documents: Mapping[str, Document], picture: str) -> list[str]:
    """Text of the section.

    Parameters
    ----------
    documents : mapping
        By name of the model.
    picture : str
        File name of the plot by :func:`benchmarks.hear.pictures.draw_few_shot`.
    """
    tasks = [task for document in documents.values() for task in document["tasks"]]
    draws = sorted({task["draws"] for task in tasks})
    return [
        "## Few examples",
        "",
        "Accuracy of a logistic regression on frozen, standardised scene embeddings that learned "
        f"from few examples of each class: mean over {_or(draws)} draws of examples, 95 % interval "
        "over draws. The test set is the same in all draws, so that the interval says what other "
        "examples would change, not what other sounds to test on would. With folds a draw is made "
        "for each, and its accuracy is their mean. All models see the same draws.",
        "",
        *format_table(accuracy_rows(documents)),
        "",
        f"![Accuracy by number of examples]({picture})",
        "",
        "Pairs of models, draw by draw: mean difference, two-sided Wilcoxon signed-rank test over "
        "draws (which share their test sounds), matched-pairs rank-biserial correlation.",
        "",
        *format_table([{**row, "p": f"{row['p']:.2g}"} for row in pair_rows(documents)]),
    ]


def accuracy_rows(documents: Mapping[str, Document]) -> list[dict[str, Any]]:
    """A row for each task and number of examples, a column for each model."""
    from training.statistics import bootstrap_interval

    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for name, document in documents.items():
        for task in document["tasks"]:
            for n in task["examples"]:
                row = rows.setdefault(
                    (task["task"], n),
                    {"task": task["task"], "examples": n, "chance": 1 / task["n_classes"]},
                )
                interval = bootstrap_interval(np.array(task["accuracy"][str(n)])[:, None])
                mean, low, high = (
                    float(each[0]) for each in (interval.estimate, interval.low, interval.high)
                )
                one = np.isnan(low)
                row[name] = f"{mean:.3f}" if one else f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    return [rows[key] for key in sorted(rows)]


def pair_rows(documents: Mapping[str, Document]) -> list[dict[str, Any]]:
    """A row for each task, number of examples and pair of models with the same draws."""
    rows = []
    for (a, first), (b, second) in combinations(documents.items(), 2):
        for task in first["tasks"]:
            for other in second["tasks"]:
                keys = ("task", "task_hash", "draws", "seed")
                if task["draws"] < 2 or any(task[key] != other[key] for key in keys):
                    continue
                for n in sorted(set(task["examples"]) & set(other["examples"])):
                    values = (each["accuracy"][str(n)] for each in (task, other))
                    row = {"task": task["task"], "examples": n, "model": a, "against": b}
                    rows.append({**row, **pair_statistics(*values)})
    return sorted(rows, key=lambda row: (row["task"], row["examples"]))


def _or(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))
