"""The page of the encoding experiments."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_page import write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
EXPERIMENTS = ("natsound165", "alice", "simulated", "simulated-natural-sounds")


def write_page(results: Path, page: Path) -> Path:
    """Write the page and its plots; see :func:`write_results_page`."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks encoding",
        heading=[
            "# Brain encoding",
            "",
            "Written by `python -m benchmarks encoding page`; not to be edited. All numbers: the "
            "JSON files in the folder `results`.",
        ],
        names=EXPERIMENTS,
        missing="Not run yet",
    )
