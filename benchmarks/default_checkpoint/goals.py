"""Goals of the default checkpoint, and measured scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.default_checkpoint.components import PRESET, STAGES
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.hear.model_scores import MeasuredModel
from hear_brainsoundnet.named import DEFAULT, NAMED

CONTENDERS = (
    *BASELINES,
    "random weights",
    "pretrained",
    "natural-sounds",
    "soundnet",
    "default",
)
COMPONENTS = "natsound165, mean of 6 components, test R²"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Aim:
    """A desirable score; the minimal goal is to exceed all other rows."""

    title: str
    number: float | None = None


@dataclass(frozen=True)
class Score:
    """Score of one contender in one measure, with its interval or spread as text."""

    value: float
    spread: str = ""

    def __str__(self) -> str:
        return f"{self.value:.3f} {self.spread}".strip()


TASKS = {
    "esc10": Aim("ESC-10, 5 folds", 0.955),
    "fsdd_digit_by_speaker": Aim("FSDD digits by held-out speaker", 0.90),
    "fsdd_speaker_by_index": Aim("FSDD speakers", 0.99),
    "speech_commands_mini": Aim("Speech Commands mini", 0.50),
}


def goal_rows(
    sounds: Mapping[str, Any] | None,
    tasks: Mapping[str, Any] | None,
    probes: Sequence[MeasuredModel] = (),
) -> list[dict[str, str]]:
    """One row for each measure; the minimal goal is to exceed every other contender.

    Parameters
    ----------
    sounds, tasks : mapping or None
        Documents of the measurements: responses to natural sounds, and tasks.
    probes : sequence of MeasuredModel
        Scores of the HEAR eval kit.
    """
    rows = [_row(Aim(COMPONENTS, 0.73), _components(sounds))]
    for name, aim in TASKS.items():
        rows.append(_row(aim, _task(tasks, name)))
    by_task: dict[str, dict[str, Score]] = {}
    for model in probes:
        name = _contender(model)
        for task, score in model.scores.items() if name else ():
            spread = "" if np.isnan(score.low) else f"({score.low:.3f} to {score.high:.3f})"
            scores = by_task.setdefault(f"HEAR eval kit: {task}, {score.score}", {})
            _keep_better(scores, name, Score(score.mean, spread))
    rows += [_row(Aim(title), scores) for title, scores in by_task.items()]
    return rows


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


def _row(aim: Aim, scores: Mapping[str, Score]) -> dict[str, str]:
    shown = {name: f"{scores[name].value:.3f}" for name in CONTENDERS if name in scores}
    row = {name: shown.get(name, NOT_MEASURED) for name in CONTENDERS}
    reached = ""
    if "default" in scores:
        row["default"] = str(scores["default"])
        own = scores["default"].value
        others = [name for name in CONTENDERS[:-1] if name in scores]
        better = [name for name in others if scores[name].value >= own]
        reached = f"not above {', '.join(better)}" if better else "yes"
        if len(others) < len(CONTENDERS) - 1:
            reached += ", of those that were measured"
        if aim.number is not None:
            reached += ", aim too" if own >= aim.number else ", aim not"
    goal = "best of all" + (f"; aim {aim.number:g}" if aim.number is not None else "")
    return {"measure": aim.title, **row, "goal": goal, "reached": reached}


def _keep_better(scores: dict[str, Score], name: str, score: Score) -> None:
    if name not in scores or score.value > scores[name].value:
        scores[name] = score


def _components(document: Mapping[str, Any] | None) -> dict[str, Score]:
    if document is None:
        return {}
    by_model = {row["model"]: row for row in document["rows"]}
    scores = {name: Score(float(by_model[name][PRESET])) for name in CONTENDERS if name in by_model}
    by_split = document["details"]["scores"].get("default", {}).get(PRESET)
    if by_split is not None:
        spread = np.std(np.mean(by_split, axis=1), ddof=1)
        scores["default"] = Score(scores["default"].value, f"± {spread:.3f} over splits")
    if "random weights" in by_model:
        drawn = by_model["random weights"]
        scores["random weights"] = Score(max(float(drawn[stage]) for stage in (*STAGES, PRESET)))
    return scores


def _task(document: Mapping[str, Any] | None, task: str) -> dict[str, Score]:
    """Best presets for the others, the default preset for the default."""
    scores: dict[str, Score] = {}
    for row in document["rows"] if document else ():
        name = row["model"]
        is_default = row["scene embedding"] in ("", "default")
        if name not in CONTENDERS or (name == "default" and not is_default):
            continue
        for measured, value in row.items():
            if measured.startswith(f"{task}-"):  # followed by version and size
                number, _, interval = str(value).partition(" ")
                _keep_better(scores, name, Score(float(number), interval))
    return scores
