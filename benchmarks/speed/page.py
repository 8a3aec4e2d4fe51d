"""The results page, written from the JSON files alone: equal numbers give equal text."""

from __future__ import annotations

from pathlib import Path

from benchmarks.encoding.page import format_experiment
from benchmarks.encoding.results import read_result
from hear_brainsoundnet.files import write_atomically

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
MEASUREMENTS = ("epoch", "preparation")


def write_page(results: Path, page: Path) -> Path:
    """Write the page.

    Parameters
    ----------
    results : Path
        Folder of the JSON files; a measurement without one is marked as not made.
    page : Path
        The page, for example ``results.md``.

    Raises
    ------
    FileNotFoundError
        If there is no result at all.
    """
    documents = {name: read_result(results, name) for name in MEASUREMENTS}
    if not any(documents.values()):
        raise FileNotFoundError(
            f"no results in {results}; run first: python -m benchmarks.speed --help"
        )
    lines = [
        "# Speed",
        "",
        "Written by `python -m benchmarks.speed page`; not to be edited. The times of all rounds: "
        "the JSON files in the folder `results`.",
    ]
    for name, document in documents.items():
        if document is None:
            lines += ["", f"## {name}", "", f"Not measured yet: no `{name}.json`."]
        else:
            lines += ["", *format_experiment(document)]
    write_atomically(page, ("\n".join(lines) + "\n").encode())
    return page
