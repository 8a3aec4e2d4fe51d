"""Scores of the default checkpoint beside those of its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.default_checkpoint.components import PRESET, STAGES
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.hear.model_scores import MeasuredModel
from hear_brainsoundnet.checkpoint import DEFAULT, NAMED

CONTENDERS = (
    *BASELINES,
    "random weights",
    "pretrained",
    "natural-sounds",
    "soundnet",
    "default",
)
COMPONENTS = "natsound165, mean of six components, squared test correlation"
NOT_MEASURED = "not measured"
TASKS = {
    "esc10": "ESC-10, 5 folds",
    "fsdd_digit_by_speaker": "FSDD digits by held-out speaker",
    "fsdd_speaker_by_index": "FSDD speakers",
    "speech_commands_mini": "Speech Commands mini",
}
Scores = dict[str, tuple[float, str]]  # by contender: a score, and its interval or spread as text


def contender_rows(
    sounds: Mapping[str, Any] | None,
    tasks: Mapping[str, Any] | None,
    probes: Sequence[MeasuredModel] = (),
) -> list[dict[str, str]]:
    """One row for each measure, with the score of each contender.

    Parameters
    ----------
    sounds, tasks : mapping or None
        Documents of the measurements: responses to natural sounds, and tasks.
    probes : sequence of MeasuredModel
        Scores of the HEAR eval kit.
    """
    rows = [_row(COMPONENTS, _components(sounds))]
    rows += [_row(title, _task(tasks, name)) for name, title in TASKS.items()]
    by_task: dict[str, Scores] = {}
    for model in probes:
        name = _contender(model)
        for task, score in model.scores.items() if name else ():
            spread = "" if np.isnan(score.low) else f"({score.low:.3f} to {score.high:.3f})"
            scores = by_task.setdefault(f"HEAR eval kit: {task}, {score.score}", {})
            _keep_better(scores, name, (score.mean, spread))
    return rows + [_row(title, scores) for title, scores in by_task.items()]


def _contender(model: MeasuredModel) -> str:
    """Name of a model of the HEAR eval kit in this table, "" if it is not a contender."""
    for name, module in BASELINES.items():
        if model.name.startswith(module):
            return name
    hashes = {named.hash: key for key, named in NAMED.items()}
    key = hashes.get(model.checkpoint_hash, "")
    if key == DEFAULT:  # with its own preset only
        return "" if "preset=paper" in model.name or "scene=" in model.name else "default"
    return {"untrained": "random weights"}.get(key, key)


def _row(title: str, scores: Scores) -> dict[str, str]:
    row = {
        name: f"{scores[name][0]:.3f}" if name in scores else NOT_MEASURED for name in CONTENDERS
    }
    if "default" in scores:
        row["default"] = f"{row['default']} {scores['default'][1]}".strip()
    return {"measure": title, **row}


def _keep_better(scores: Scores, name: str, score: tuple[float, str]) -> None:
    if name not in scores or score[0] > scores[name][0]:
        scores[name] = score


def _components(document: Mapping[str, Any] | None) -> Scores:
    if document is None:
        return {}
    by_model = {row["model"]: row for row in document["rows"]}
    scores = {name: (float(by_model[name][PRESET]), "") for name in CONTENDERS if name in by_model}
    by_split = document["details"]["scores"].get("default", {}).get(PRESET)
    if by_split is not None:
        spread = np.std(np.mean(by_split, axis=1), ddof=1)
        scores["default"] = (scores["default"][0], f"± {spread:.3f} over splits")
    if "random weights" in by_model:
        drawn = by_model["random weights"]
        scores["random weights"] = (max(float(drawn[stage]) for stage in (*STAGES, PRESET)), "")
    return scores


def _task(document: Mapping[str, Any] | None, task: str) -> Scores:
    """Best presets for the others, the default preset for the default."""
    scores: Scores = {}
    for row in document["rows"] if document else ():
        name = row["model"]
        is_default = row["scene embedding"] in ("", "default")
        if name not in CONTENDERS or (name == "default" and not is_default):
            continue
        for measured, value in row.items():
            if measured.startswith(f"{task}-"):  # followed by version and size
                number, _, interval = str(value).partition(" ")
                _keep_better(scores, name, (float(number), interval))
    return scores
