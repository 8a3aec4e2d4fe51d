"""The results page, written from ``scores.json`` files: equal scores give equal bytes."""

from __future__ import annotations

import json
import re
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hear.heareval_patches import OFFICIAL_SEED
from benchmarks.hear.scores import COLLECTED, format_score, read_json, write_json

# With DATA the folder of real recordings; the tasks' own README files say what is in them.
TASK_COMMANDS = (
    "python -m benchmarks.hear tasks make-spoken-digit --data DATA --out TASKS",
    "python -m benchmarks.hear tasks make-onsets --data DATA --out TASKS --seed 0",
)


def write_page(results_folder: Path, page: Path) -> Path:
    """Write the page from all ``scores.json`` below a folder, or from a page's raw scores.

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
    if not found:
        raise FileNotFoundError(
            f"no {COLLECTED} in {results_folder}; run first: python -m benchmarks.hear run --help"
        )
    return write_page_of(found, page)


def write_page_of(score_files: Sequence[Path], page: Path) -> Path:
    """Write the page from these files; the models stand in the order of the files' models."""
    documents = sorted(map(read_json, score_files), key=_order)
    raw = page.with_suffix("")
    raw.mkdir(parents=True, exist_ok=True)
    for path in raw.glob("*.json"):
        path.unlink()
    for document in documents:
        write_json(raw / f"{_slug(document['model'])}.json", document)
    page.write_text(format_page(documents), encoding="utf-8")
    return page


def format_page(documents: Sequence[Mapping[str, Any]]) -> str:
    """The page's text."""
    runs = [run for document in documents for run in document["runs"]]
    seeds = sorted({run["seed"] for run in runs})
    heads = [column_head(document["model"]) for document in documents]
    lines = [
        "# HEAR tasks",
        "",
        "Written by `python -m benchmarks.hear page`; not to be edited. Raw scores: the JSON files "
        "in the folder of this page's name.",
        "",
        f"Mean ± sample standard deviation over seeds ({', '.join(map(str, seeds))}; "
        f"{OFFICIAL_SEED} is the HEAR eval kit's own); a score without ± is of one seed. For tasks "
        "with folds each run's score is the eval kit's mean over folds; in brackets its standard "
        "deviation over folds, averaged over seeds. The first score of a task selects the probe. "
        "Small tasks: differences within the spread mean nothing.",
        "",
        *_table(["task", "score", *heads], _score_rows(documents)),
        "",
        "## Models",
        "",
        *_table(
            ["model", "checkpoint", "hash", "scene", "timestamps", "sizes", "sample rate"],
            [_model_row(document["model"]) for document in documents],
        ),
        "",
        "## Versions",
        "",
        *_version_lines(documents),
        "",
        "## Commands",
        "",
        "```",
        *TASK_COMMANDS,
        *[command for document in documents for command in _commands(document)],
        "python -m benchmarks.hear page OUT --out benchmarks/hear/results.md",
        "```",
    ]
    notes = _notes(documents)
    if notes:
        lines += ["", "## Notes", "", *notes]
    return "\n".join(lines) + "\n"


def column_head(model: Mapping[str, Any]) -> str:
    """Module, options that differ from none, checkpoint."""
    options = {
        name: value
        for name, value in model["options"].items()
        if name not in ("sample_rate", "model_file_path")
    }
    words = [model["module"], *(f"{name}={options[name]}" for name in sorted(options))]
    checkpoint = "" if model["checkpoint"] == "none" else f" ({model['checkpoint']})"
    return " ".join(words) + checkpoint


def format_cell(runs: Sequence[Mapping[str, Any]], name: str) -> str:
    """Mean and spread of one score over the runs of one model on one task.

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


def _score_rows(documents: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    runs = [run for document in documents for run in document["runs"]]
    rows = []
    for task in sorted({run["task"] for run in runs}):
        names = dict.fromkeys(
            name for run in runs if run["task"] == task for name in run["evaluation"]
        )
        for name in names:
            cells = [
                format_cell([run for run in document["runs"] if run["task"] == task], name)
                for document in documents
            ]
            rows.append([task, name, *cells])
    return rows


def _model_row(model: Mapping[str, Any]) -> list[str]:
    resolved = model["resolved"]
    sizes = [resolved.get("scene_embedding_size"), resolved.get("timestamp_embedding_size")]
    return [
        column_head(model),
        model["checkpoint"],
        model["checkpoint_hash"][:12],
        resolved.get("scene", ""),
        resolved.get("timestamps", ""),
        " / ".join(map(str, sizes)),
        f"{model['sample_rate']} Hz",
    ]


def _version_lines(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    modules = {
        f"{document['model']['module']} {document['model']['module_version']}"
        for document in documents
        if document["model"]["module_version"]
    }
    libraries = {
        ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items()))
        for document in documents
        for run in document["runs"]
    }
    return [f"- {line}" for line in (*sorted(modules), *sorted(libraries))]


def _commands(document: Mapping[str, Any]) -> list[str]:
    """The commands that redo a model's runs: one for the tasks that ran with equally many seeds."""
    model = document["model"]
    options = dict(model["options"])
    checkpoint = options.pop("model_file_path", "") or model["weights_file_name"]
    seeds: dict[str, set[int]] = {}
    for run in document["runs"]:
        seeds.setdefault(run["task"], set()).add(run["seed"])
    commands = []
    for n_seeds in sorted({len(own) for own in seeds.values()}):
        words = ["python", "-m", "benchmarks.hear", "run", model["module"]]
        if checkpoint:
            words += ["--checkpoint", checkpoint]
        words += ["--model-options", json.dumps(options)]
        for task in sorted(task for task, own in seeds.items() if len(own) == n_seeds):
            words += ["--task", task]
        words += ["--tasks", "TASKS", "--seeds", str(n_seeds), "--out", "OUT"]
        commands.append(shlex.join(words))
    return commands


def _notes(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"- {column_head(document['model'])}, {run['task']}, seed {run['seed']}: {note}"
        for document in documents
        for run in document["runs"]
        for note in run["notes"]
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _order(document: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Ours first."""
    model = document["model"]
    return (model["module"] != "hear_brainsoundnet", column_head(model), model["checkpoint_hash"])


def _slug(model: Mapping[str, Any]) -> str:
    words = re.sub(r"[^\w.]+", "-", column_head(model)).strip("-")
    return f"{words}-{model['checkpoint_hash'][:12]}"
