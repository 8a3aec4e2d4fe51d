"""Results files and the pages written from them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from matplotlib.image import imread

from benchmarks.cli import BENCHMARKS, app_of, main
from benchmarks.page import MOST_ROWS, ResultsPage, Section, write_page
from benchmarks.program import Benchmark
from benchmarks.results import read_result, write_result
from hear_brainsoundnet.command_line import WrongCall

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


@pytest.mark.parametrize("name", BENCHMARKS)
def test_no_option_has_a_default_in_the_source_tree(name: str) -> None:
    """:class:`Benchmark` alone says where results and pages go."""
    pending = [typer.main.get_command(app_of(name))]
    names = set()
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        for parameter in command.params:
            names.add(parameter.name)
            assert str(SOURCES.parent) not in str(parameter.default), (command.name, parameter.name)
    assert "committed" in names or name == "demo"


def test_what_is_copied_from_a_page_leaves_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`correspondence run` as its own results page prints it once overwrote those results."""
    from benchmarks.correspondence import runs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "run_model", lambda *_: ("small", DOCUMENT))
    before = {path: path.stat().st_mtime_ns for path in SOURCES.rglob("results*")}
    words = ["run", "soundnet", "--on", "natsound165", "--data", "DATA", "--out", "WORK"]
    for arguments in (words, ["page"]):
        with pytest.raises(SystemExit) as end:
            main(["correspondence", *arguments])
        assert end.value.code == 0
    written = Path("benchmark-results", "correspondence", "results", "small.json")
    page = Path("benchmark-results", "correspondence", "results.md")
    assert capsys.readouterr().out.split() == [str(written), str(page)]
    assert written.is_file()
    assert {path: path.stat().st_mtime_ns for path in SOURCES.rglob("results*")} == before


def test_the_committed_results_are_written_by_a_word_of_their_own(tmp_path: Path) -> None:
    benchmark = Benchmark("speed")
    assert benchmark.results(committed=True) == SOURCES / "speed" / "results"
    assert benchmark.page(committed=True) == SOURCES / "speed" / "results.md"
    assert benchmark.results(tmp_path) == tmp_path
    assert not benchmark.page().is_absolute()
    with pytest.raises(WrongCall, match="--results and --committed both set the output"):
        benchmark.results(tmp_path, committed=True)
    with pytest.raises(WrongCall, match="--out and --committed both set the output"):
        benchmark.page(tmp_path, committed=True)


def test_the_overview_imports_no_benchmark() -> None:
    code = (
        "import sys; from benchmarks.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(*(m for m in sys.modules if m.startswith('benchmarks.')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "benchmarks.cli"
    assert all(name in ran.stdout for name in BENCHMARKS)


@pytest.mark.parametrize("words", [["hearing"], ["speed", "light"]])
def test_an_unknown_command_is_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert f"No such command '{words[-1]}'" in line


def test_a_document_has_the_command_as_typed_without_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.default_checkpoint import natural_sounds

    document = {key: value for key, value in DOCUMENT.items() if key != "command"}
    monkeypatch.setattr(natural_sounds, "measure_natural_sounds", lambda *_: document)
    monkeypatch.setenv("BRAINSOUNDNET_DATA", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["default-checkpoint", "natural-sounds", "random weights=untrained",
              f"mine={tmp_path}/mine.safetensors", "--out", str(tmp_path),
              "--results", str(tmp_path)])  # fmt: skip
    found = read_result(tmp_path, "natural_sounds")
    assert found is not None
    assert found["command"] == (
        "python -m benchmarks default-checkpoint natural-sounds 'random weights=untrained' "
        "mine=mine.safetensors --data DATA --out OUT"
    )
