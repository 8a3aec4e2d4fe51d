"""Ctrl-C, as signals that a process sends itself at a chosen moment."""

import subprocess
import sys

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
