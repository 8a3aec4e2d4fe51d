"""The page of the default checkpoint, and the table of scores in the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import page as pages
from benchmarks.default_checkpoint.contenders import contender_rows
from benchmarks.figures import bars_of, draw_bars
from benchmarks.hear.model_scores import read_models
from benchmarks.page import Picture, Section, format_table, written_by
from benchmarks.results import read_result
from hear_brainsoundnet.files import write_atomically

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
    read = {name: read_result(results, name) for name in EXPERIMENTS}
    documents = {name: document for name, document in read.items() if document is not None}
    if not documents:
        raise FileNotFoundError(
            f"no results in {results}; run first: python -m benchmarks default-checkpoint --help"
        )
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
