"""Parallel calls in worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.prepare.workers import in_processes


def squared_slowly(number):
    time.sleep(0.2 * (number == 0))
    return number**2


def fails(number):
    if number == 1:
        raise ValueError("number 1 is refused")
    time.sleep(60)


def dies(number):
    os.kill(os.getpid(), signal.SIGKILL)


CALLS = [(number,) for number in range(5)]


def test_one_worker_is_this_process_and_keeps_the_order():
    results = list(in_processes(lambda number: (number, os.getpid()), CALLS, 1))
    assert results == [(i, (i, os.getpid())) for i in range(5)]


@pytest.mark.slow
def test_results_have_the_index_of_their_call():
    results = list(in_processes(squared_slowly, CALLS, 2))
    assert sorted(results) == [(i, i**2) for i in range(5)]


@pytest.mark.slow
def test_an_error_ends_all_workers_at_once():
    start = time.monotonic()
    with pytest.raises(ValueError, match="number 1 is refused"):
        list(in_processes(fails, CALLS, 2))
    assert time.monotonic() - start < 30  # the others would sleep for a minute


@pytest.mark.slow
def test_a_killed_worker_is_an_error():
    with pytest.raises(RuntimeError, match=r"a worker process was killed.*fewer --workers"):
        list(in_processes(dies, CALLS, 2))


# Of the script below, which is no part of this checkout: `training`, and this file.
IMPORTED_FROM = (Path(__file__).parents[3], Path(__file__).parent)
# SIGINT is ignored in what a shell starts in the background, and so in tests that run there.
SLEEPERS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = sys.argv[2:]
from training.prepare.workers import in_processes
from test_workers import sleeps

if __name__ == "__main__":
    list(in_processes(sleeps, [(sys.argv[1],)] * 4, 2))
"""


def sleeps(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers(tmp_path):
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    (tmp_path / "asleep").mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "asleep"), *map(str, IMPORTED_FROM)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while len(workers := list((tmp_path / "asleep").iterdir())) < 2:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.communicate(timeout=30)
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker.name), 0)
