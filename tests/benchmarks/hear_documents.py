"""Made-up ``scores.json`` documents."""

from __future__ import annotations

from typing import Any


def scores_document(
    name: str, tasks: dict[str, list[list[float | None]]], *, task_hash: str = "t"
) -> dict[str, Any]:
    """Scores by folder name of the task: a row for each seed, a column for each fold.

    A task with one column has no folds.
    """
    model = {
        "module": name,
        "module_version": "1.0",
        "checkpoint": "none",
        "checkpoint_hash": f"{name}{'0' * 64}"[:64],
        "weights_file_name": "",
        "options": {},
        "resolved": {},
        "sample_rate": 48000,
    }
    runs = []
    for task, table in tasks.items():
        for number, row in enumerate(table):
            splits = ["test"] if len(row) == 1 else [f"fold{fold:02}" for fold in range(len(row))]
            known = [value for value in row if value is not None]
            runs.append(
                {
                    "task": task,
                    "task_hash": task_hash,
                    "seed": 42 + number,
                    "evaluation": ["top1_acc"],
                    "scores": {"top1_acc": sum(known) / len(known) if known else None},
                    "std_over_folds": {"top1_acc": None},
                    "splits": {
                        split: {"test_top1_acc": value}
                        for split, value in zip(splits, row, strict=True)
                    },
                    "train_seconds": 100.0,
                    "versions": {"torch": "2"},
                    "notes": [],
                }
            )
    return {"format_version": 1, "model": model, "runs": runs}
