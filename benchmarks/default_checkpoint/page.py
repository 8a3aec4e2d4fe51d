"""The page of the default checkpoint."""

from __future__ import annotations

from pathlib import Path

from benchmarks.default_checkpoint.goals import goal_rows
from benchmarks.default_checkpoint.shipping import share_of
from benchmarks.hear.model_scores import read_models
from benchmarks.results import read_result
from benchmarks.results_page import format_table, write_results_page
from hear_brainsoundnet.named import load_checkpoint

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
HEAR_RESULTS = RESULTS.parents[1] / "hear" / "results"
TRIED = PAGE.with_name("tried.md")


def write_page(results: Path, page: Path) -> Path:
    """Write the page from the numbers, the card of the default, and what was tried."""
    share = share_of(load_checkpoint().card)
    documents = {name: read_result(results, name) for name in ("alignment", "tasks")}
    goals = goal_rows(
        documents["alignment"], documents["tasks"], share, read_models([HEAR_RESULTS])
    )
    return write_results_page(
        results,
        page,
        program="python -m benchmarks.default_checkpoint",
        heading=[
            "# The default checkpoint",
            "",
            "Written by `python -m benchmarks.default_checkpoint page`; not to be edited, but for "
            f"[{TRIED.name}]({TRIED.name}). All numbers: the JSON files in the folder "
            "`results`. `make default-checkpoint` makes corpus, pretraining, alignment, controls, "
            "tables and files anew.",
            "",
            "## Goals",
            "",
            *format_table(goals),
            "",
            "Others with the best scene embedding that was tried, the default with its own preset. "
            "The HEAR eval kit's own probes are in [HEAR tasks](../hear/results.md).",
            "",
            *TRIED.read_text().strip().splitlines(),
        ],
        names=("alignment", "tasks", "ablation"),
        missing="Not run yet",
    )
