"""The page of the default checkpoint."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_page import write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")


def write_page(results: Path, page: Path) -> Path:
    """Write the page from the numbers alone."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks.default_checkpoint",
        heading=[
            "# The default checkpoint",
            "",
            "Written by `python -m benchmarks.default_checkpoint page`; not to be edited. All "
            "numbers: the JSON files in the folder `results`. `make default-checkpoint` makes "
            "corpus, pretraining, alignment, controls, tables and file anew.",
        ],
        names=("alignment", "tasks", "ablation"),
        missing="Not run yet",
    )
