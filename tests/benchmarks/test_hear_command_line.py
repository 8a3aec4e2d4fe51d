"""What goes wrong at the command line is one line and an exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_tasks import write_task

from benchmarks.cli import main
from benchmarks.hear.cli import parse_examples, parse_options
from hear_brainsoundnet.command_line import WrongCall


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as exit_info:
        main(["hear", *arguments])
    return exit_info.value.code, capsys.readouterr().err.strip()


def test_wrong_tasks_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "benchmarks.hear.logmel", "--out", str(tmp_path / "out"), "--tasks"]
    status, message = _fails([*arguments, str(tmp_path / "nowhere")], capsys)
    assert status == 1
    assert message.startswith("python -m benchmarks hear: no folder of tasks")
    assert len(message.splitlines()) == 1


def test_model_of_another_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_task(tmp_path / "tasks")
    folders = ["--tasks", str(tmp_path / "tasks"), "--out", str(tmp_path / "out")]
    options = ["--model-options", '{"sample_rate": 16000}']
    status, message = _fails(["run", "benchmarks.hear.logmel", *folders, *options], capsys)
    assert status == 1
    assert "has audio at 44100, the model expects 16000 Hz" in message
    assert not (tmp_path / "out").exists()


def test_page_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    status, message = _fails(["page", str(tmp_path), "--out", str(page)], capsys)
    assert (status, page.exists()) == (1, False)
    assert "run first: python -m benchmarks hear run --help" in message


def test_data_folder_without_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        "make-spoken-digit",
        "make-onsets",
        "make-esc10",
        "make-fsdd",
        "make-speech-commands",
        "make-natsound165",
    ):
        status, message = _fails(
            ["tasks", command, "--data", str(tmp_path), "--out", str(tmp_path / "tasks")], capsys
        )
        assert status == 1
        assert "name the folder with the real data by --data" in message


def test_a_wrong_call_and_a_failure_have_other_statuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    folders = ["--tasks", str(tmp_path / "tasks"), "--out", str(tmp_path / "out")]
    call = ["few-shot", "benchmarks.hear.logmel", *folders, "--examples"]
    status, message = _fails([*call, "1,many"], capsys)
    assert (status, "must be numbers with commas" in message) == (2, True)
    status, message = _fails([*call, "2", "--task", "other"], capsys)
    assert (status, "other" in message) == (1, True)
    assert _fails(["compare", "--out", str(tmp_path / "page.md")], capsys)[0] == 2
    assert parse_examples("1, 5,10") == [1, 5, 10]


def test_options_are_read_from_either_way() -> None:
    assert parse_options("paper", "") == {"preset": "paper"}
    assert parse_options("", '{"scene": "conv4"}') == {"scene": "conv4"}
    assert parse_options("", "") == {}
    with pytest.raises(WrongCall, match="write one of them"):
        parse_options("paper", "{}")
    with pytest.raises(WrongCall, match="is not JSON"):
        parse_options("", "{preset: paper}")
    with pytest.raises(WrongCall, match="must be a JSON object, got '\\[\\]'"):
        parse_options("", "[]")
