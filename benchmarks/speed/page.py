"""The page of the speed measurements."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_page import write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
MEASUREMENTS = ("embedding", "long", "folder", "epoch", "preparation", "season")


def write_page(results: Path, page: Path) -> Path:
    """Write the page; see :func:`write_results_page`."""
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
            "Two CPU cores, float32. The GPU was not measured: the same code runs there, and its "
            "paths are tested on the CPU alone. Ridge regression over 5,000 voxels: "
            "[correspondence](../correspondence/results.md).",
        ],
        names=MEASUREMENTS,
        missing="Not measured yet",
    )
