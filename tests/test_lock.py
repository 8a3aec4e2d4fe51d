"""One job at a time in a folder, whatever becomes of the job before."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from hear_brainsoundnet.lock import LOCK_FILE, contents, locked, one_job_per_folder


def hold(folder: Path) -> None:
    """A job with a worker of its own that outlives it."""
    with locked(folder):
        if os.fork() == 0:
            time.sleep(120)
            os._exit(0)
        (folder / "ready").touch()
        time.sleep(120)


def test_a_second_job_is_refused_with_the_process_that_writes(tmp_path):
    with locked(tmp_path / "out"):
        with (
            pytest.raises(
                BlockingIOError,
                match=rf"out: another job is writing here \(process {os.getpid()} on .*\); wait",
            ),
            locked(tmp_path / "out"),
        ):
            pass
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "out"):
        pass


def test_a_folder_left_empty_is_removed(tmp_path):
    with locked(tmp_path / "deep" / "er"):
        assert contents(tmp_path / "deep" / "er") == []
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "deep"):
        (tmp_path / "deep" / "result").touch()
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "result"]


def test_leftovers_are_no_contents(tmp_path):
    for name in (LOCK_FILE, ".settings.json.123.tmp", ".progress.9.tmp", ".hidden", "a.tmp"):
        (tmp_path / name).touch()
    assert [path.name for path in contents(tmp_path)] == [".hidden", "a.tmp"]


def test_a_decorated_function_locks_its_folder(tmp_path, monkeypatch):
    @one_job_per_folder("folder")
    def write(number, folder):
        with locked(Path(folder)):
            return number

    with pytest.raises(BlockingIOError, match="another job is writing here"):
        write(1, folder=str(tmp_path))
    monkeypatch.setenv("RANK", "1")  # another process of the same job
    assert write(1, tmp_path) == 1


@pytest.mark.slow
def test_the_lock_of_a_killed_job_is_gone_even_if_a_worker_lives_on(tmp_path):
    process = multiprocessing.get_context("forkserver").Process(target=hold, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(BlockingIOError, match=f"process {process.pid} on"), locked(tmp_path):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (tmp_path / LOCK_FILE).exists()
    with locked(tmp_path):
        pass
    assert not (tmp_path / LOCK_FILE).exists()
