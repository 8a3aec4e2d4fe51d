"""The page of the speed measurements."""

from __future__ import annotations

from pathlib import Path

from benchmarks.correspondence.page import SPEED
from benchmarks.results import read_result
from benchmarks.results_page import format_table, write_results_page
from benchmarks.speed.goals import goal_rows

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
MEASUREMENTS = ("embedding", "long", "folder", "epoch", "preparation", "season")


def write_page(results: Path, page: Path) -> Path:
    """Write the page; see :func:`write_results_page`.

    The results of ``python -m benchmarks correspondence speed`` are read from their location in the
    same folder of results.
    """
    documents = {name: read_result(results, name) for name in MEASUREMENTS}
    ridge = read_result(results.parent.parent / "correspondence" / "results", SPEED)
    goals = format_table(goal_rows({**documents, "ridge": ridge}))
    return write_results_page(
        results,
        page,
        program="python -m benchmarks speed",
        heading=[
            "# Speed",
            "",
            "Written by `python -m benchmarks speed page`; not to be edited. The times of all "
            "rounds: the JSON files in the folder `results`.",
            "",
            "## Goals",
            "",
            *goals,
            "",
            "Two CPU cores, float32. The ridge regression is measured by `python -m benchmarks "
            "correspondence speed`. The GPU part was not measured: there the same code "
            "runs, and its paths are tested on the CPU alone.",
        ],
        names=MEASUREMENTS,
        missing="Not measured yet",
    )
