"""Results page, generated reproducibly from JSON files of scores."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hear.commands import few_shot_commands, run_commands, task_commands
from benchmarks.hear.few_shot_page import few_shot_lines
from benchmarks.hear.heareval_patches import OFFICIAL_SEED
from benchmarks.hear.pictures import draw_few_shot
from benchmarks.hear.scores import (
    COLLECTED,
    FEW_SHOT,
    column_head,
    format_score,
    read_json,
    write_json,
)
from benchmarks.results_page import page_path
from hear_brainsoundnet.files import write_atomically

FEW_SHOT_FOLDER = "few-shot"  # below the folder of raw scores


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
    page = page_path(page)
    documents = sorted(map(read_json, score_files), key=_order)
    few_shot = sorted(map(read_json, few_shot_files), key=_order)
    named = _named(few_shot)
    raw = page.with_suffix("")
    for folder, own in ((raw, documents), (raw / FEW_SHOT_FOLDER, few_shot)):
        for path in folder.glob("*.json"):
            path.unlink()
        for document in own:
            write_json(folder / f"{_slug(document['model'])}.json", document)
    picture = page.with_name(f"{page.stem}-few-shot.png")
    lines = format_page(documents, few_shot)
    if few_shot:
        write_atomically(picture, draw_few_shot(named))
        place = lines.index("## Models")
        lines[place:place] = [*few_shot_lines(named, picture.name), ""]
    write_atomically(page, ("\n".join(lines) + "\n").encode())
    return page


def format_page(
    documents: Sequence[Mapping[str, Any]], few_shot: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """The page's lines, except the few-shot section."""
    runs = [run for document in documents for run in document["runs"]]
    seeds = sorted({run["seed"] for run in runs})
    heads = [column_head(document["model"]) for document in documents]
    lines = [
        "# HEAR tasks",
        "",
        "Written by `python -m benchmarks hear page`; not to be edited. Raw scores: the JSON files "
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
            ["model", "checkpoint", "hash", "scene", "timestamps", "level", "sizes", "sample rate"],
            _distinct(_model_row(document["model"]) for document in (*documents, *few_shot)),
        ),
        "",
        "## Versions",
        "",
        *_version_lines(documents, few_shot),
        "",
        "## Commands",
        "",
        "```",
        *task_commands(documents, few_shot),
        *[command for document in documents for command in run_commands(document)],
        *[command for document in few_shot for command in few_shot_commands(document)],
        "python -m benchmarks hear page OUT --out page.md",
        "```",
    ]
    notes = _notes(documents)
    if notes:
        lines += ["", "## Notes", "", *notes]
    return lines


def format_cell(runs: Sequence[Mapping[str, Any]], name: str) -> str:
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
        str(resolved.get("level") or "as it is"),
        " / ".join(map(str, sizes)),
        f"{model['sample_rate']} Hz",
    ]


def _version_lines(
    documents: Sequence[Mapping[str, Any]], few_shot: Sequence[Mapping[str, Any]]
) -> list[str]:
    modules = {
        f"{document['model']['module']} {document['model']['module_version']}"
        for document in (*documents, *few_shot)
        if document["model"]["module_version"]
    }
    libraries = {
        ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items()))
        for document, runs in (*((d, "runs") for d in documents), *((d, "tasks") for d in few_shot))
        for run in document[runs]
    }
    return [f"- {line}" for line in (*sorted(modules), *sorted(libraries))]


def _named(documents: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    named: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        name = column_head(document["model"])
        if name in named:
            raise ValueError(
                f"two results with few examples are of {name!r}; remove those of the older version"
            )
        named[name] = document
    return named


def _distinct(rows: Iterable[list[str]]) -> list[list[str]]:
    distinct: list[list[str]] = []
    for row in rows:
        if row not in distinct:
            distinct.append(row)
    return distinct


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
