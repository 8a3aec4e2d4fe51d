"""No benchmark writes into the source tree unless the committed results are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from benchmarks.cli import BENCHMARKS, app_of, main
from benchmarks.program import Benchmark
from hear_brainsoundnet.command_line import WrongCall

SOURCES = Path(__file__).parents[2] / "benchmarks"
DOCUMENT = {"title": "small", "command": "run", "rows": [{"r": 0.5}], "notes": []}


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


@pytest.mark.parametrize(
    ("words", "message"),
    [(["hearing"], "No such command 'hearing'"), (["speed", "light"], "No such command 'light'")],
)
def test_an_unknown_command_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error
    assert len(error.splitlines()) == 1
