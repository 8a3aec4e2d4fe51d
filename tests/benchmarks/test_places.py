"""No benchmark writes into the source tree unless the committed results are asked for."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.places import Places
from hear_brainsoundnet.command_line import WrongCall

SOURCES = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(path.parent.name for path in SOURCES.glob("*/cli.py"))
DOCUMENT = {"title": "small", "command": "run", "rows": [{"r": 0.5}], "notes": []}


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_option_has_a_default_in_the_source_tree(program: str) -> None:
    """Nor one that is a place of its own: `Places` alone says where numbers and pages go."""
    app = importlib.import_module(f"benchmarks.{program}.cli").app
    pending = [typer.main.get_command(app)]
    names = set()
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        for parameter in command.params:
            names.add(parameter.name)
            assert not isinstance(parameter.default, Path), (command.name, parameter.name)
            assert str(SOURCES.parent) not in str(parameter.default), (command.name, parameter.name)
    assert "committed" in names


def test_what_is_copied_from_a_page_leaves_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`correspondence run` as its own results page prints it used to overwrite those results."""
    from benchmarks.correspondence import runs
    from benchmarks.correspondence.cli import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "run_model", lambda *_: ("small", DOCUMENT))
    before = {path: path.stat().st_mtime_ns for path in SOURCES.rglob("results*")}
    words = ["run", "soundnet", "--on", "natsound165", "--data", "DATA", "--out", "WORK"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    written = tmp_path / "benchmark-results" / "correspondence" / "results" / "small.json"
    assert written.is_file()
    assert {path: path.stat().st_mtime_ns for path in SOURCES.rglob("results*")} == before
    ran = CliRunner().invoke(app, ["page"])
    assert ran.output.strip() == str(Path("benchmark-results", "correspondence", "results.md"))


def test_the_committed_results_are_written_by_a_word_of_their_own(tmp_path: Path) -> None:
    for program in PROGRAMS:
        places = Places(program)
        assert places.results(committed=True) == SOURCES / program / "results"
        assert places.page(committed=True) == SOURCES / program / "results.md"
        assert places.results(tmp_path) == tmp_path
        assert not places.page().is_absolute()
    with pytest.raises(WrongCall, match="--results and --committed both set the output"):
        Places("speed").results(tmp_path, committed=True)
    with pytest.raises(WrongCall, match="--out and --committed both set the output"):
        Places("speed").page(tmp_path, committed=True)
