"""Conversion in a separate process: the same result, the same errors, and a time limit."""

import pytest

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import convert, separately
from hear_brainsoundnet.conversion.separately import convert_separately

pytestmark = pytest.mark.slow


def test_results_and_errors_are_those_of_convert(state_file, tmp_path, capfd):
    here = convert(state_file, tmp_path / "here.safetensors", "sound8-pth")
    there = convert_separately(state_file, tmp_path / "there.safetensors", {"kind": None})
    assert here == there == load_checkpoint(tmp_path / "there.safetensors").hash
    with pytest.raises(ValueError, match="expected a file of kind torch7, it looks like"):
        convert_separately(state_file, tmp_path / "no.safetensors", {"kind": "torch7"})
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing to convert"):
        convert_separately(tmp_path / "nothing", tmp_path / "no.safetensors", {})
    assert "Traceback" not in capfd.readouterr().err


def test_computing_beyond_the_limit_is_ended_by_the_system(state_file, tmp_path):
    """The limit holds inside C code, too; importing PyTorch alone takes more than this one."""
    with pytest.raises(ValueError, match=r"was ended by the system after 1 s of computing"):
        convert_separately(state_file, tmp_path / "out.safetensors", {}, cpu_seconds=1)
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("left", [".out.{}.tmp", ".out.trial", "..out.trial.{}.tmp"])
def test_what_a_killed_process_leaves_is_removed(tmp_path, monkeypatch, left):
    """A process that writes one of the files that conversion writes first, and is killed."""
    killed = tmp_path / "killed.py"
    killed.write_text(
        "import os, pathlib, signal, sys\n"
        f"pathlib.Path({str(tmp_path)!r}, {left!r}.format(os.getpid())).touch()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setattr(separately, "PROGRAM", "killed")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match="was ended by the system"):
        convert_separately(tmp_path / "source", tmp_path / "out", {})
    assert list(tmp_path.glob("*out*")) == []
