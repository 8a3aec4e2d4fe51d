"""Settings on the command line: ``key=value``, listed in the help, recorded as typed."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from training.cli import app, main
from training.commands.options import SettingsCommand, described
from training.evaluation.folders import EvaluationInfo, read_info

COMMANDS = {
    name: command
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    if isinstance(command, SettingsCommand)
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_setting_is_described_in_the_help(name: str, capsys: pytest.CaptureFixture[str]):
    settings = dict(described(COMMANDS[name].settings()))
    assert settings
    assert [key for key, text in settings.items() if not text] == []
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert [key for key in settings if key.partition("=")[0] not in shown] == []


def test_an_unknown_setting_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="1"):
        main(["compare", "a", "b", "apha=0.1", "--out", str(tmp_path / "out")])
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "python -m training: settings: unknown key 'apha'; --help lists the settings"


def test_the_command_in_the_records_is_what_was_typed(fits: dict[str, Path], tmp_path: Path):
    typed = ["training", "evaluate", str(fits["one"]), "split=validation", "n_permutations=0"]
    typed += ["--out", str(tmp_path / "eval"), "--name", "first one", "subjects=[sub-02]"]
    ran = subprocess.run([sys.executable, "-m", *typed], capture_output=True, text=True, check=True)
    assert "1 models, 1 subjects, 4 targets" in ran.stdout
    info = read_info(tmp_path / "eval", EvaluationInfo)
    assert shlex.split(info.command) == ["python", "-m", *typed]
    chosen = (info.split, info.subjects, info.models[0].name)
    assert chosen == ("validation", ("sub-02",), "first one")
