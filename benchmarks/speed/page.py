"""The page of the speed measurements."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_page import write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
MEASUREMENTS = ("epoch", "preparation")


def write_page(results: Path, page: Path) -> Path:
    """Write the page; see :func:`write_results_page`."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks.speed",
        heading=[
            "# Speed",
            "",
            "Written by `python -m benchmarks.speed page`; not to be edited. The times of all "
            "rounds: the JSON files in the folder `results`.",
        ],
        names=MEASUREMENTS,
        missing="Not measured yet",
    )
