"""The commands that reproduce a results page, derived from its documents."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

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


def task_commands(documents: Sequence[Document], few_shot: Sequence[Document]) -> list[str]:
    """Commands for the page's tasks that are not HEAR's."""
    tasks = {run["task"] for document in documents for run in document["runs"]}
    tasks |= {task["task"] for document in few_shot for task in document["tasks"]}
    return [
        f"python -m benchmarks hear tasks {how} --data DATA --out TASKS"
        for task, how in MAKE.items()
        if task in tasks
    ]


def run_commands(document: Document) -> list[str]:
    """The commands that reproduce a model's scores: one for the tasks with equal numbers of
    seeds."""
    model = document["model"]
    options = dict(model["options"])
    checkpoint = options.pop("model_file_path", "") or model["weights_file_name"]
    seeds: dict[str, set[int]] = {}
    for run in document["runs"]:
        seeds.setdefault(run["task"], set()).add(run["seed"])
    commands = []
    for n_seeds in sorted({len(own) for own in seeds.values()}):
        words = ["python", "-m", "benchmarks", "hear", "run", model["module"]]
        if checkpoint:
            words += ["--checkpoint", checkpoint]
        words += ["--model-options", json.dumps(options)]
        for task in sorted(task for task, own in seeds.items() if len(own) == n_seeds):
            words += ["--task", task]
        words += ["--tasks", "TASKS", "--seeds", str(n_seeds), "--out", "OUT"]
        commands.append(shlex.join(words))
    return commands


def few_shot_commands(document: Document) -> list[str]:
    """The commands that reproduce a model's few-shot scores, one per group of tasks with equal
    settings."""
    model = document["model"]
    options = dict(model["options"])
    checkpoint = options.pop("model_file_path", "") or model["weights_file_name"]
    groups: dict[tuple[str, int, int], list[str]] = {}
    for task in document["tasks"]:
        numbers = ",".join(map(str, task["examples"]))
        groups.setdefault((numbers, task["draws"], task["seed"]), []).append(task["task"])
    commands = []
    for (numbers, draws, seed), names in sorted(groups.items()):
        words = ["python", "-m", "benchmarks", "hear", "few-shot", model["module"]]
        words += ["--checkpoint", checkpoint] if checkpoint else []
        words += ["--model-options", json.dumps(options)]
        for name in sorted(names):
            words += ["--task", name]
        words += ["--examples", numbers, "--draws", str(draws), "--seed", str(seed)]
        commands.append(shlex.join([*words, "--tasks", "TASKS", "--out", "OUT"]))
    return commands
