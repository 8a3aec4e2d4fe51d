"""The commands that reproduce a results page, derived from its raw scores."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hear_brainsoundnet.checkpoint import NAMED

# Commands for the tasks that are not HEAR's; their README files describe the content.
MAKE = {
    "spoken_digit-1.0.9-small": "make-spoken-digit",
    "esc10_onsets-1.0.0-full": "make-onsets --seed 0",
    "esc10-1.0.0-full": "make-esc10",
    "fsdd_digit_by_speaker-1.0.0-full": "make-fsdd --label digit --folds speaker",
    "fsdd_digit_by_index-1.0.0-full": "make-fsdd --label digit --folds index",
    "fsdd_speaker_by_index-1.0.0-full": "make-fsdd --label speaker --folds index",
    "speech_commands_mini-0.0.2-small": "make-speech-commands",
    "natsound165_categories-1.0.0-full": "make-natsound165 --seed 0",
}
Raw = Mapping[str, Any]  # content of a scores.json or few-shot.json


def task_commands(tasks: set[str]) -> list[str]:
    """Commands for those of these tasks that are not HEAR's."""
    return [
        f"python -m benchmarks hear tasks {how} --data DATA --out TASKS"
        for task, how in MAKE.items()
        if task in tasks
    ]


def run_commands(document: Raw) -> list[str]:
    """The commands that reproduce a model's scores: one for the tasks with equal numbers of
    seeds."""
    seeds: dict[str, set[int]] = {}
    for run in document["runs"]:
        seeds.setdefault(run["task"], set()).add(run["seed"])
    commands = []
    for n_seeds in sorted({len(own) for own in seeds.values()}):
        tasks = [task for task, own in seeds.items() if len(own) == n_seeds]
        commands.append(_command("run", document["model"], tasks, ["--seeds", str(n_seeds)]))
    return commands


def few_shot_commands(document: Raw) -> list[str]:
    """The commands that reproduce a model's few-shot scores, one per group of tasks with equal
    settings."""
    groups: dict[tuple[str, int, int], list[str]] = {}
    for task in document["tasks"]:
        numbers = ",".join(map(str, task["examples"]))
        groups.setdefault((numbers, task["draws"], task["seed"]), []).append(task["task"])
    return [
        _command(
            *("few-shot", document["model"], tasks),
            ["--examples", numbers, "--draws", str(draws), "--seed", str(seed)],
        )
        for (numbers, draws, seed), tasks in sorted(groups.items())
    ]


def _command(name: str, model: Raw, tasks: Sequence[str], settings: Sequence[str]) -> str:
    options = dict(model["options"])
    checkpoint = options.pop("model_file_path", "") or model["weights_file_name"]
    # What a name like "default" means may change: the checkpoint that was measured is named.
    named = {each.hash: key for key, each in NAMED.items()}
    checkpoint = named.get(model["checkpoint_hash"], checkpoint)
    words = ["python", "-m", "benchmarks", "hear", name, model["module"]]
    words += ["--checkpoint", checkpoint] if checkpoint else []
    words += ["--model-options", json.dumps(options)]
    words += [word for task in sorted(tasks) for word in ("--task", task)]
    return shlex.join([*words, *settings, "--tasks", "TASKS", "--out", "OUT"])
