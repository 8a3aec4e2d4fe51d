"""Scores as strict JSON.

heareval writes NaN and Infinity for undefined scores; JSON has no such numbers. They are replaced
by null, with a note.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hear.heareval_process import HearevalError
from benchmarks.hear.model_identity import module_and_options
from hear_brainsoundnet.files import write_atomically

LEAF, COLLECTED = "score.json", "scores.json"
FEW_SHOT = "few-shot.json"
FORMAT_VERSION = 1
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
TIMES = "time_in_min"  # specific to one machine


def read_heareval_scores(path: Path, evaluation: Sequence[str]) -> dict[str, Any]:
    """Read heareval's ``test.predicted-scores.json`` into a strict JSON document.

    Parameters
    ----------
    path : Path
        The file.
    evaluation : sequence of str
        Names of the task's scores.

    Returns
    -------
    dict
        ``scores``: value by name, the mean over folds if there are any; ``std_over_folds``: by
        name, sample standard deviation, or null without folds; ``higher_is_better``: for the first
        score; ``splits``: heareval's measures on each tested split; ``hyperparameters`` and
        ``postprocessing`` that it selected; ``notes``.

    Raises
    ------
    HearevalError
        If a score is missing.
    """
    document = json.loads(path.read_text())
    aggregated = document.get("aggregated_scores")
    splits = {
        name: {key: value for key, value in measured.items() if key != TIMES}
        for name, measured in document.items()
        if isinstance(measured, dict) and name not in ("aggregated_scores", "hparams")
    }
    scores: dict[str, Any] = {}
    deviations: dict[str, Any] = {}
    try:
        for name in evaluation:
            if aggregated is None:
                (only,) = splits.values()
                scores[name], deviations[name] = only[f"test_{name}"], None
            else:
                scores[name] = aggregated[f"test_{name}_mean"]
                deviations[name] = aggregated[f"test_{name}_std"]
    except (KeyError, ValueError) as error:
        raise HearevalError(
            f"{path} has no score {name!r}: expected heareval 2021.1.3 to write it; remove the "
            "folder and run again"
        ) from error
    notes = [
        f"{name} of {split} is not finite: heareval's mean over folds leaves it out"
        for name in evaluation
        for split, measured in splits.items()
        if aggregated is not None and not math.isfinite(measured[f"test_{name}"])
    ]
    result = {
        "scores": scores,
        "std_over_folds": deviations,
        "higher_is_better": document["score_mode"] == "max",
        "splits": splits,
        "hyperparameters": {
            key: ADDRESS.sub("", value) if isinstance(value, str) else value
            for key, value in document["hparams"].items()
        },
        "postprocessing": document["postprocessing"],
    }
    strict: dict[str, Any] = replace_non_finite(result, notes)
    return {**strict, "notes": notes}


def replace_non_finite(document: Any, notes: list[str], place: str = "") -> Any:
    """A copy with null for each non-finite number; `notes` gets a line for each.

    Examples
    --------
    >>> notes = []
    >>> replace_non_finite({"loss": float("nan"), "f": [1.0]}, notes), notes
    ({'loss': None, 'f': [1.0]}, ['loss was nan'])
    """
    if isinstance(document, dict):
        return {
            key: replace_non_finite(value, notes, f"{place}.{key}".lstrip("."))
            for key, value in document.items()
        }
    if isinstance(document, list | tuple):
        return [
            replace_non_finite(value, notes, f"{place}[{index}]")
            for index, value in enumerate(document)
        ]
    if isinstance(document, float) and not math.isfinite(document):
        notes.append(f"{place} was {document}")
        return None
    return document


def write_json(path: Path, document: Any) -> None:
    """Write strict JSON atomically."""
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of :func:`write_json`.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    try:
        document = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable JSON; remove it and run again") from error
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} holds no scores of format {FORMAT_VERSION}; remove it and run again"
        )
    return document


def collect(model_folder: Path, model: dict[str, Any]) -> Path:
    """Collect the scores of all tasks and seeds of one model into its ``scores.json``."""
    runs = [read_json(path) for path in model_folder.glob(f"seed-*/*/{LEAF}")]
    runs.sort(key=lambda run: (run["task"], run["seed"]))
    path = model_folder / COLLECTED
    write_json(path, {"format_version": FORMAT_VERSION, "model": model, "runs": runs})
    return path


def column_head(model: Mapping[str, Any]) -> str:
    """Module, non-default options, checkpoint."""
    checkpoint = "" if model["checkpoint"] == "none" else f" ({model['checkpoint']})"
    return module_and_options(model["module"], model["options"]) + checkpoint


def format_table(collected: Path) -> str:
    """The scores of one model as text: task, score, then a column for each seed."""
    runs = read_json(collected)["runs"]
    seeds = sorted({run["seed"] for run in runs})
    values = {
        (run["task"], run["seed"], name): v for run in runs for name, v in run["scores"].items()
    }
    names = dict.fromkeys((run["task"], name) for run in runs for name in run["scores"])
    rows = [["task", "score", *(f"seed {seed}" for seed in seeds)]]
    for task, name in names:
        cells = ((task, seed, name) for seed in seeds)
        rows.append([task, name, *(format_score(values[c]) if c in values else "-" for c in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def format_score(value: float | None) -> str:
    """Three decimals, or "undefined" for a score that was NaN."""
    return "undefined" if value is None else f"{value:.3f}"
