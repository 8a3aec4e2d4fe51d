"""The page of the published figures."""

from __future__ import annotations

from pathlib import Path

from benchmarks.hear.pictures import draw_rank_changes
from benchmarks.published.pictures import draw_encoding
from benchmarks.results_page import Picture, write_results_page

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
FIGURES = ("encoding", "hear")
PICTURES: dict[str, Picture] = {
    "encoding": ("Baseline and conv4", draw_encoding),
    "hear": ("Places gained over the median baseline, by task and model", draw_rank_changes),
}


def write_page(results: Path, page: Path) -> Path:
    """Write the page and its plots; see :func:`write_results_page`."""
    return write_results_page(
        results,
        page,
        program="python -m benchmarks published",
        heading=[
            "# Published figures, redone",
            "",
            "Written by `python -m benchmarks published page`; not to be edited. All numbers: the "
            "JSON files in the folder `results`.",
        ],
        names=FIGURES,
        missing="Not run yet",
        pictures=PICTURES,
    )
