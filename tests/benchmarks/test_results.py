"""Results files and the pages written from them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from benchmarks.cli import BENCHMARKS, main
from benchmarks.page import MOST_ROWS, ResultsPage, Section, write_page
from benchmarks.results import read_result, write_result

SOURCES = Path(__file__).parents[2] / "benchmarks"
WITH_A_PAGE = sorted(path.parent.name for path in SOURCES.glob("*/results.md"))

DOCUMENT = {
    "title": "Simulated brains",
    "command": "python -m benchmarks encoding simulated --out WORK",
    "rows": [{"model": "frozen", "r": 0.12345}, {"model": "tuned", "r": float("nan"), "n": 3}],
    "notes": ["Made up."],
}


PAGE = ResultsPage("encoding", "Brain encoding", "Made up.", {"alice": [], "simulated": []})


def same_text(one: Path, other: Path) -> bool:
    return one.read_text() == other.read_text()


def same_table(one: Path, other: Path) -> bool:
    with one.open(newline="") as first, other.open(newline="") as second:
        pairs = zip(csv.reader(first), csv.reader(second), strict=True)
        return all(list(map(cell, a)) == list(map(cell, b)) for a, b in pairs)


def cell(text: str) -> object:
    """A number to nine digits, or the text."""
    try:
        return float(f"{float(text):.9g}")
    except ValueError:
        return text


def same_picture(one: Path, other: Path) -> bool:
    first, second = imread(one), imread(other)
    return first.shape == second.shape and float(np.abs(first - second).mean()) < 1e-3


SAME = {".md": same_text, ".csv": same_table, ".png": same_picture}


@pytest.mark.parametrize("folder", WITH_A_PAGE)
def test_every_committed_page_is_that_of_its_results(folder: str, tmp_path: Path):
    """Text as it is; tables and pictures but for what another processor rounds differently."""
    name = next(each for each in BENCHMARKS if each.replace("-", "_") == folder)
    results = ["--results", str(SOURCES / folder / "results")]
    if name == "hear":
        results = [str(SOURCES / folder / "results")]
    with pytest.raises(SystemExit) as end:
        main([name, "page", *results, "--out", str(tmp_path / "results.md")])
    assert end.value.code == 0
    written = {path.name: path for path in tmp_path.iterdir() if path.is_file()}
    committed = {path.name: path for path in (SOURCES / folder).glob("results*") if path.is_file()}
    assert written.keys() == committed.keys()
    for name, path in written.items():
        assert SAME[path.suffix](path, committed[name]), name


def test_a_long_table_is_a_file_beside_the_page(tmp_path: Path):
    rows = [{"n": n, "r": n / 7} for n in range(MOST_ROWS + 1)]
    document = {**DOCUMENT, "rows": rows, "git_revision": "abc", "versions": {"torch": "2"}}
    page = write_page(tmp_path / "page", "Title", [], [Section("long", document)])
    assert "(page-long.csv)" in page.read_text()
    with (tmp_path / "page-long.csv").open(newline="") as file:
        assert [{"n": int(row["n"]), "r": float(row["r"])} for row in csv.DictReader(file)] == rows
    with pytest.raises(ValueError, match=r"expected the name of a page, such as page\.md, got"):
        write_page(tmp_path / "page.v2", "Title", [], [])


def test_results_are_strict_json_with_versions(tmp_path: Path):
    path = write_result(tmp_path, "simulated", {**DOCUMENT, "versions": {"espeak-ng": "1.51"}})
    document = read_result(tmp_path, "simulated")
    assert document == json.loads(path.read_text(), parse_constant=pytest.fail)
    assert document is not None
    assert {"torch", "espeak-ng"} <= document["versions"].keys()
    assert document["rows"][1]["r"] is None
    assert read_result(tmp_path, "alice") is None
    with pytest.raises(ValueError, match="expected 'notes' to be a list, got None"):
        write_result(tmp_path, "alice", {**DOCUMENT, "notes": None})
    path.write_text("{")
    with pytest.raises(ValueError, match="not readable JSON; run the experiment again"):
        read_result(tmp_path, "simulated")
    message = r"no results in .*; run first: python -m benchmarks encoding --help"
    with pytest.raises(FileNotFoundError, match=message):
        PAGE.write(tmp_path / "empty", tmp_path / "results.md")
