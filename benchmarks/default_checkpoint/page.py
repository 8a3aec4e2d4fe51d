"""The page of the default checkpoint: its scores beside its controls, also for the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page as pages
from benchmarks.default_checkpoint.components import PRESET, STAGES
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.figures import bars_of, draw_bars
from benchmarks.hear.model_scores import MeasuredModel, read_models
from benchmarks.page import Picture, Section, format_table, read_documents, written_by
from benchmarks.results import read_result
from hear_brainsoundnet.checkpoint import DEFAULT, NAMED
from hear_brainsoundnet.files import write_atomically

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
RESULTS = Path(__file__).with_name("results")
HEAR_RESULTS = RESULTS.parents[1] / "hear" / "results"
README = RESULTS.parents[2] / "README.md"
BEGINS, ENDS = "<!-- scores -->\n", "\n<!-- /scores -->"  # markers of the table in the README
IN_README = (
    "log-mel mean and std",
    "acoustic description",
    "random weights",
    "soundnet",
    "default",
)


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


def draw_models(document: Mapping[str, Any]) -> bytes:
    """Squared correlation of the default preset's scene embedding, by model."""
    rows = document["tables"][0]["rows"]
    bars = bars_of(rows, "model", "r²", spread="± over splits")
    axis = "squared test correlation, mean over six components (line: ± SD over splits)"
    return draw_bars(list(bars), {"": bars}, axis)


EXPERIMENTS: Mapping[str, list[Picture]] = {
    "natural_sounds": [("Responses to natural sounds predicted by every model", draw_models)],
    "development": [],
    "tasks": [],
    "ablation": [],
    "distillation": [],
}


def brief_table(results: Path, columns: Sequence[str] = ()) -> str:
    """The scores of all contenders, or of those in `columns`, from the stored numbers."""
    sounds, tasks = (read_result(results, name) for name in ("natural_sounds", "tasks"))
    rows = contender_rows(sounds, tasks, read_models([HEAR_RESULTS]))
    if columns:
        rows = [{name: row[name] for name in ("measure", *columns)} for row in rows]
    return "\n".join(format_table(rows))


def write_brief_table(results: Path, readme: Path) -> Path:
    """Replace the table in a text by :func:`brief_table`.

    Raises
    ------
    ValueError
        If the text has no markers for it.
    """
    before, begins, rest = readme.read_text().partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"{readme} has no lines {BEGINS.strip()} and {ENDS.strip()} for scores")
    text = f"{before}{begins}{brief_table(results, IN_README)}{ends}{after}"
    write_atomically(readme, text.encode())
    return readme


def write_page(results: Path, page: Path) -> Path:
    """Write the page from the stored numbers.

    Raises
    ------
    FileNotFoundError
        If there are no results.
    """
    documents = read_documents(results, EXPERIMENTS, "default-checkpoint")
    intro = [
        "`make default-checkpoint` rebuilds corpus, pretraining, alignment, controls, tables and "
        "files. What was learned on the way: [design notes](../design_notes.md). What alignment "
        "with a brain brings: [alignment](../alignment/results.md).",
        "",
        written_by("default-checkpoint page"),
        "",
        "## The default beside its controls",
        "",
        *brief_table(results).splitlines(),
        "",
        "Others with the best scene embedding that was tried, the default with its own preset and "
        "the 95 % interval (components: standard deviation over splits, which share sounds). The "
        "HEAR eval kit's own probes are in [HEAR tasks](../hear/results.md).",
    ]
    sections = [Section(name, each, EXPERIMENTS[name]) for name, each in documents.items()]
    return pages.write_page(page, "The default checkpoint", intro, sections)
