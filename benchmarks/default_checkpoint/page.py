"""The page of the default checkpoint."""

from __future__ import annotations

from pathlib import Path

from benchmarks.default_checkpoint.contenders import contender_rows
from benchmarks.hear.model_scores import read_models
from benchmarks.results import read_result
from benchmarks.results_page import format_table, write_results_page
from hear_brainsoundnet.files import write_atomically

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
HEAR_RESULTS = RESULTS.parents[1] / "hear" / "results"
README = PAGE.parents[2] / "README.md"
BEGINS, ENDS = "<!-- scores -->\n", "\n<!-- /scores -->"  # markers of the table in the README


def brief_table(results: Path) -> str:
    """The scores of all contenders, from the stored numbers."""
    sounds, tasks = (read_result(results, name) for name in ("natural_sounds", "tasks"))
    rows = contender_rows(sounds, tasks, read_models([HEAR_RESULTS]))
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
    text = f"{before}{begins}{brief_table(results)}{ends}{after}"
    write_atomically(readme, text.encode())
    return readme


def write_page(results: Path, page: Path) -> Path:
    """Write the page from the stored numbers."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks default-checkpoint",
        heading=[
            "# The default checkpoint",
            "",
            "Written by `python -m benchmarks default-checkpoint page`; not to be edited. All "
            "numbers: the JSON files in the folder `results`. `make default-checkpoint` rebuilds "
            "corpus, pretraining, alignment, controls, tables and files. What was learned on the "
            "way: [design notes](../design_notes.md).",
            "",
            "## The default beside its controls",
            "",
            *brief_table(results).splitlines(),
            "",
            "Others with the best scene embedding that was tried, the default with its own preset "
            "and the 95 % interval (components: standard deviation over splits, which share "
            "sounds). The HEAR eval kit's own probes are in [HEAR tasks](../hear/results.md).",
        ],
        names=("natural_sounds", "development", "tasks", "alignment", "ablation"),
        missing="Not run yet",
    )
