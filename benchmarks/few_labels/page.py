"""The results page of the few-labels benchmark."""

from __future__ import annotations

from pathlib import Path

from benchmarks.results_page import write_results_page


def write_page(results: Path, page: Path) -> Path:
    """Write the page; see :func:`write_results_page`."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks few-labels run",
        heading=[
            "# Six brain components where labels are few",
            "",
            "Written by `python -m benchmarks few-labels page`; not to be edited. All numbers: the "
            "JSON files in the folder `results`. The [design](design.md) was written before.",
        ],
        names=("few-labels",),
        missing="Not run yet",
    )
