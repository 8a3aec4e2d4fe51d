"""The results page of HEAR tasks, from the raw scores of ``run`` and ``few-shot``.

The commands that it prints are derived from these scores, too.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page as pages
from benchmarks.hear.compare import pair_statistics, scores_details
from benchmarks.hear.heareval_process import OFFICIAL_SEED
from benchmarks.hear.model_scores import measured_model
from benchmarks.hear.pictures import draw_few_shot, draw_scores
from benchmarks.hear.scores import (
    COLLECTED,
    FEW_SHOT,
    column_head,
    format_score,
    read_json,
    write_json,
)
from benchmarks.page import Section, one_document, written_by
from benchmarks.results import Document
from hear_brainsoundnet.checkpoint import NAMED

FEW_SHOT_FOLDER = "few-shot"  # below the folder of raw scores
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


def write_page(results_folder: Path, page: Path) -> Path:
    """Write the page from all files of scores below a folder, or from a page's raw scores.

    Parameters
    ----------
    results_folder : Path
        An output folder of ``run``, or the folder of raw scores beside an earlier page.
    page : Path
        The page, for example ``results.md``; raw scores are written to the folder ``results``
        beside it, one small file for each model, and other JSON files there are removed.

    Raises
    ------
    FileNotFoundError
        If there are no scores.
    """
    found = sorted(results_folder.rglob(COLLECTED)) or sorted(results_folder.glob("*.json"))
    few_shot = sorted(results_folder.rglob(FEW_SHOT)) or sorted(
        (results_folder / FEW_SHOT_FOLDER).glob("*.json")
    )
    if not found and not few_shot:
        raise FileNotFoundError(
            f"no {COLLECTED} in {results_folder}; run first: python -m benchmarks hear run --help"
        )
    return write_page_of(found, few_shot, page)


def write_page_of(score_files: Sequence[Path], few_shot_files: Sequence[Path], page: Path) -> Path:
    """Write the page from these files of ``run`` and ``few-shot``; models of this package first."""
    page = pages.page_path(page)
    documents = sorted(map(read_json, score_files), key=_order)
    few_shot = sorted(map(read_json, few_shot_files), key=_order)
    sections = []
    if documents:
        sections.append(Section("scores", probes(documents), [("Scores", draw_scores)]))
    if few_shot:
        pictures = [("Accuracy by number of examples", draw_few_shot)]
        sections.append(Section("few-shot", few_examples(few_shot), pictures))
    raw = page.with_suffix("")
    for folder, own in ((raw, documents), (raw / FEW_SHOT_FOLDER, few_shot)):
        for path in folder.glob("*.json"):
            path.unlink()
        for document in own:
            write_json(folder / f"{_slug(document['model'])}.json", document)
    intro = [
        "Scores of scene and timestamp embeddings on tasks in the format of HEAR. Small tasks: "
        "differences within the spread mean nothing.",
        "",
        written_by("hear page", raw.name),
    ]
    more = ["", "## Models", "", *pages.format_table(_model_rows([*documents, *few_shot]))]
    return pages.write_page(page, "HEAR tasks", intro, sections, more)


def probes(documents: Sequence[Raw]) -> Document:
    """Scores of the HEAR eval kit's own probes."""
    runs = [run for document in documents for run in document["runs"]]
    seeds = sorted({run["seed"] for run in runs})
    rows = []
    for task in sorted({run["task"] for run in runs}):
        of_task = [run for run in runs if run["task"] == task]
        for name in dict.fromkeys(name for run in of_task for name in run["evaluation"]):
            row = {"task": task, "score": name}
            for document in documents:
                own = [run for run in document["runs"] if run["task"] == task]
                row[column_head(document["model"])] = format_cell(own, name)
            rows.append(row)
    commands = [command for document in documents for command in run_commands(document)]
    return {
        **_versions(runs),
        "title": "Probes of the HEAR eval kit",
        "command": "\n".join([*task_commands({run["task"] for run in runs}), *commands]),
        "rows": rows,
        "notes": [
            f"Mean ± sample standard deviation over seeds ({', '.join(map(str, seeds))}; "
            f"{OFFICIAL_SEED} is the HEAR eval kit's own); a score without ± is of one seed. For "
            "tasks with folds each run's score is the eval kit's mean over folds; in brackets its "
            "standard deviation over folds, averaged over seeds. The first score of a task selects "
            "the probe; the picture shows it with its 95 % interval.",
            *(
                f"{column_head(document['model'])}, {run['task']}, seed {run['seed']}: {note}"
                for document in documents
                for run in document["runs"]
                for note in run["notes"]
            ),
        ],
        "details": scores_details([measured_model(document) for document in documents]),
    }


def few_examples(documents: Sequence[Raw]) -> Document:
    """Accuracy of logistic regressions that are trained on few examples.

    Raises
    ------
    ValueError
        If two results are of one model.
    """
    named: dict[str, Raw] = {}
    for document in documents:
        name = column_head(document["model"])
        if name in named:
            raise ValueError(
                f"two results with few examples are of {name!r}; remove those of the older version"
            )
        named[name] = document
    tasks = [task for document in documents for task in document["tasks"]]
    draws = " or ".join(map(str, sorted({task["draws"] for task in tasks})))
    commands = [command for document in documents for command in few_shot_commands(document)]
    return {
        **_versions(tasks),
        "title": "Few examples",
        "command": "\n".join([*task_commands({task["task"] for task in tasks}), *commands]),
        "rows": accuracy_rows(named),
        "tables": [{"title": "Pairs of models, draw by draw", "rows": pair_rows(named)}],
        "notes": [
            "Accuracy of a logistic regression on frozen, standardised scene embeddings that was "
            f"trained on few examples of each class: mean over {draws} draws of examples, 95 % "
            "interval over draws. All models have the same draws.",
            "The test set is the same in all draws: the interval says what other examples would "
            "change, not what other test sounds would. With folds a draw is made for each, and its "
            "accuracy is their mean.",
            "Pairs of models: mean difference, 95 % interval over draws. There is no p value: "
            "draws share their test sounds, and with more of them any difference is significant.",
        ],
        "details": named,
    }


def format_cell(runs: Sequence[Raw], name: str) -> str:
    """Mean and spread of one score over the seeds of one model on one task.

    Examples
    --------
    >>> runs = [{"scores": {"f": x}, "std_over_folds": {"f": 0.02}} for x in (0.1, 0.3)]
    >>> format_cell(runs, "f")
    '0.200 ± 0.141 [0.020]'
    """
    values = [run["scores"][name] for run in runs if run["scores"].get(name) is not None]
    if not values:
        return "undefined" if runs else "-"
    cell = format_score(statistics.fmean(values))
    if len(values) > 1:
        cell += f" ± {format_score(statistics.stdev(values))}"
    folds = [run["std_over_folds"][name] for run in runs]
    folds = [deviation for deviation in folds if deviation is not None]
    if folds:
        cell += f" [{format_score(statistics.fmean(folds))}]"
    return cell


def accuracy_rows(documents: Mapping[str, Raw]) -> list[dict[str, Any]]:
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


def pair_rows(documents: Mapping[str, Raw]) -> list[dict[str, Any]]:
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
                    found = pair_statistics(*values)
                    own = ("mean difference", "95 % from", "to")
                    rows.append({**row, **{name: found[name] for name in own}})
    return sorted(rows, key=lambda row: (row["task"], row["examples"]))


def _model_rows(documents: Sequence[Raw]) -> list[dict[str, Any]]:
    rows = []
    for model in (document["model"] for document in documents):
        resolved = model["resolved"]
        sizes = [resolved.get("scene_embedding_size"), resolved.get("timestamp_embedding_size")]
        row = {
            "model": column_head(model),
            "version": model["module_version"] or "",
            "checkpoint": model["checkpoint"],
            "hash": model["checkpoint_hash"][:12],
            "scene": resolved.get("scene", ""),
            "timestamps": resolved.get("timestamps", ""),
            "level": str(resolved.get("level") or "as it is"),
            "sizes": " / ".join(map(str, sizes)),
            "sample rate": f"{model['sample_rate']} Hz",
        }
        rows += [row] if row not in rows else []
    return rows


def _versions(runs: Iterable[Raw]) -> dict[str, Any]:
    parts = [{"command": "", "git_revision": "", "versions": run["versions"]} for run in runs]
    return one_document(parts)


def _order(document: Raw) -> tuple[bool, str, str]:
    """Ours first."""
    model = document["model"]
    return (model["module"] != "hear_brainsoundnet", column_head(model), model["checkpoint_hash"])


def _slug(model: Raw) -> str:
    words = re.sub(r"[^\w.]+", "-", column_head(model)).strip("-")
    return f"{words}-{model['checkpoint_hash'][:12]}"


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
