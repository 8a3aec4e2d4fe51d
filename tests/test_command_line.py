"""Programs: notes of the MP3 decoder are dropped, Ctrl-C stops in order or at once."""

import logging
import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

from hear_brainsoundnet.command_line import decoder_notes_dropped

LINES = [
    b"Note: Illegal Audio-MPEG-Header 0x00000000 at offset 42.",
    b"Note: Trying to resync...",
    b"[src/libmpg123/layer3.c:INT123_do_layer3():1804] error: dequantization failed!",
    b"Warning: Xing stream size off by more than 1%, fuzzy seeking may be even more fuzzy",
    b"",
]
OTHERS = [b"free(): invalid pointer", b"a note: kept", b"OMP: Info #276"]

INTERRUPTED_IMPORT = """
import os, runpy, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start tests with it ignored

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = ["program", *{arguments!r}]
runpy.run_module({program!r}, run_name="__main__", alter_sys=True)
"""
TWICE = """
import os, signal, time
from hear_brainsoundnet.interrupts import interruptible

signal.signal(signal.SIGINT, signal.default_int_handler)
with interruptible("program"):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    finally:
        print("tidying up", flush=True)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
"""


@contextmanager
def stderr_in(path):
    """A file in place of standard error's descriptor; within a test, where pytest leaves it."""
    saved = os.dup(2)
    with open(path, "wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def test_only_notes_of_the_decoder_are_dropped(tmp_path):
    written = tmp_path / "stderr"
    with stderr_in(written):
        with decoder_notes_dropped():
            for line in [*LINES, *OTHERS]:
                os.write(2, line + b"\n")
            os.write(2, b"without an end")
        os.write(2, b"\nNote: afterwards")
    assert written.read_bytes() == b"\n".join([*OTHERS, b"without an end", b"Note: afterwards"])


def test_python_and_its_log_are_not_redirected(tmp_path, monkeypatch):
    written = tmp_path / "stderr"
    with stderr_in(written), open(2, "w", closefd=False) as own:
        monkeypatch.setattr(sys, "stderr", own)
        handler = logging.StreamHandler(own)
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
        with decoder_notes_dropped():
            print("Note: of the program", file=sys.stderr, flush=True)
            logging.getLogger().warning("Warning: of the log")
            at_once = written.read_bytes()
        assert sys.stderr is own
        assert handler.stream is own
    assert at_once == b"Note: of the program\nWarning: of the log\n"


@pytest.mark.slow
def test_only_the_name_of_a_damaged_mp3_is_printed(tmp_path):
    path = tmp_path / "damaged.mp3"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 44_100), 44_100)
    content = bytearray(path.read_bytes())
    content[4000:9000] = np.random.default_rng(0).bytes(5000)
    path.write_bytes(content)
    command = [sys.executable, "-m", "hear_brainsoundnet", "embed", path, "-o", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    read = [sys.executable, "-c", "import soundfile, sys; soundfile.read(sys.argv[1])", path]
    assert "mpg123" in subprocess.run(read, capture_output=True, text=True).stderr
    assert all("damaged.mp3" in line or "1 of 1" in line for line in done.stderr.splitlines())
    assert done.returncode in (0, 1)


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_an_interrupt_while_modules_are_imported_is_one_line():
    for program, module, arguments in (
        ("hear_brainsoundnet", "typer", ["info"]),
        ("hear_brainsoundnet", "torch", ["info"]),
        ("training", "typer", ["--help"]),
    ):
        found = run(INTERRUPTED_IMPORT.format(program=program, module=module, arguments=arguments))
        assert found.returncode == 130, found.stderr
        lines = found.stderr.strip().splitlines()
        assert len(lines) == 1
        assert lines[0].endswith(": interrupted")


def test_the_second_interrupt_ends_the_process_at_once():
    found = run(TWICE)
    assert found.returncode == 130
    assert found.stdout == "tidying up\n"
    assert found.stderr == "program: stopped at once\n"
