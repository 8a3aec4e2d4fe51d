"""Evaluation folders that tests write by hand, with scores of their choice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from training.evaluation.folders import (
    RUN_COLUMNS,
    SCORE_COLUMNS,
    EvaluationInfo,
    ModelInfo,
    write_info,
    write_table,
)

Scores = Mapping[tuple[str, str, str], np.ndarray]  # (model, subject, run): (n_targets,)


def write_evaluation(
    folder: Path, scores: Scores, target_ids: tuple[int, ...] = (1, 2, 3), **changes: Any
) -> Path:
    """An evaluation of scores; r2 is r - 1, each run has the stimulus of its name."""
    rows = [
        (model, subject, run, run, target, f"parcel_{target}", 60, value, value - 1)
        for (model, subject, run), values in scores.items()
        for target, value in zip(target_ids, values, strict=True)
    ]
    write_table(folder, "scores", pandas.DataFrame(rows, columns=list(SCORE_COLUMNS)))
    runs = [(*key, key[2], key[2], 0.0, 60) for key in scores]
    write_table(folder, "runs", pandas.DataFrame(runs, columns=list(RUN_COLUMNS)))
    names = dict.fromkeys(model for model, _, _ in scores)
    models = [
        ModelInfo(name=name, fit=name, kind="group", subjects=(), train_from="none", stage="conv7")
        for name in names
    ]
    usual: dict[str, Any] = {
        "command": "",
        "dataset": "made up",
        "dataset_folder": "made-up",
        "kind": "time_series",
        "atlas": "some",
        "tr": 1.49,
        "split": "test",
        "target_ids": target_ids,
        "target_names": tuple(f"parcel_{target}" for target in target_ids),
        "models": models,
        "subjects": tuple(dict.fromkeys(subject for _, subject, _ in scores)),
        "score": "r",
        "pooling": "mean",
        "null": "none",
        "n_permutations": 0,
        "smallest_p": 1.0,
        "correction": "by",
        "alpha": 0.05,
    }
    write_info(folder, EvaluationInfo.model_validate({**usual, **changes}))
    return folder
