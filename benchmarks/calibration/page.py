"""The page of the calibration experiments."""

from __future__ import annotations

from pathlib import Path

from benchmarks.calibration.pictures import PICTURES
from benchmarks.results_page import write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
EXPERIMENTS = ("nulls", "discoveries", "ceilings", "intervals")


def write_page(results: Path, page: Path) -> Path:
    """Write the page and its plots; see :func:`write_results_page`."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks calibration",
        heading=[
            "# Calibration of the statistics",
            "",
            "Written by `python -m benchmarks calibration page`; not to be edited. All numbers: "
            "the JSON files in the folder `results`.",
        ],
        names=EXPERIMENTS,
        missing="Not run yet",
        pictures=PICTURES,
    )
