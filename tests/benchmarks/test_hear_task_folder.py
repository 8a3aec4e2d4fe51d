"""A task that is not right is refused in one line, before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_tasks import SAMPLE_RATE, write_task

from benchmarks.hear.leaderboard import OFFICIAL_TASKS
from benchmarks.hear.task_folder import common_sample_rate, find_tasks, read_task


def _remove_sound(task: Path) -> None:
    (task / str(SAMPLE_RATE) / "test" / "test.wav").unlink()


def _write_other_rate(task: Path) -> None:
    soundfile.write(task / str(SAMPLE_RATE) / "test" / "test.wav", np.zeros(100), 16_000)


def _write_noise(task: Path) -> None:
    (task / str(SAMPLE_RATE) / "test" / "test.wav").write_bytes(b"no sound")


def _drop_key(task: Path) -> None:
    metadata = json.loads((task / "task_metadata.json").read_text())
    del metadata["splits"]
    (task / "task_metadata.json").write_text(json.dumps(metadata))


def test_a_right_task_passes(tmp_path: Path) -> None:
    task = read_task(write_task(tmp_path))
    task.check_audio(SAMPLE_RATE)
    assert task.sample_rates == [SAMPLE_RATE]
    assert common_sample_rate([task]) == SAMPLE_RATE


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda task: (task / "task_metadata.json").unlink(), FileNotFoundError, "task_metadata"),
        (lambda task: (task / "labelvocabulary.csv").unlink(), FileNotFoundError, "vocabulary"),
        (lambda task: (task / "test.json").unlink(), FileNotFoundError, r"no .*test\.json"),
        (lambda task: (task / "test.json").write_text("{"), ValueError, "not readable JSON"),
        (lambda task: (task / "test.json").write_text("[]"), ValueError, "expected an object"),
        (lambda task: (task / "test.json").write_text("{}"), ValueError, "labels no sounds"),
        (
            lambda task: (task / "labelvocabulary.csv").write_text("name\n"),
            ValueError,
            "expected idx and label",
        ),
        (
            lambda task: (task / "test.json").write_text('{"test.wav": ["b"]}'),
            ValueError,
            r"test\.wav has the label 'b', which is not in labelvocabulary\.csv",
        ),
        (
            lambda task: (task / "test.json").write_text('{"test.wav": [{"label": "c"}]}'),
            ValueError,
            "the label 'c'",
        ),
        (
            lambda task: (task / "test.json").write_text('{"test.wav": "a"}'),
            ValueError,
            "expected a list of labels",
        ),
        (_drop_key, ValueError, "has no 'splits'"),
        (_remove_sound, FileNotFoundError, r"test\.wav is missing"),
        (_write_other_rate, ValueError, "at 16000 Hz, expected 1 at 44100 Hz"),
        (_write_noise, ValueError, "not an audio file"),
    ],
)
def test_a_spoilt_task_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], error: type[Exception], message: str
) -> None:
    spoil(write_task(tmp_path))
    with pytest.raises(error, match=message):
        find_tasks(tmp_path)[0].check_audio(SAMPLE_RATE)


def test_missing_folders_and_names_are_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder of tasks"):
        find_tasks(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no task in"):
        find_tasks(tmp_path)
    write_task(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no task 'boops'.*there are: beeps-1\.0-full"):
        find_tasks(tmp_path, ["boops"])


@pytest.mark.parametrize("below", ["tasks", "hear-2021.0.6/tasks"])
def test_tasks_are_found_where_the_archives_unpack_to(tmp_path: Path, below: str) -> None:
    for official in OFFICIAL_TASKS:
        write_task(tmp_path / below, official.folder)
    (tmp_path / "archive.tar.gz").touch()
    assert {task.name for task in find_tasks(tmp_path)} == {t.folder for t in OFFICIAL_TASKS}
    (only,) = find_tasks(tmp_path, ["esc50-v2.0.0-full"])
    assert only.path == tmp_path / below / "esc50-v2.0.0-full"


def test_packed_archives_are_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "hear-2021.0.6-esc50.tar.gz").touch()
    with pytest.raises(FileNotFoundError, match=r"unpack the archives: tar xzf hear-2021\.0"):
        find_tasks(tmp_path)


def test_content_hash_follows_the_labels(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    before = read_task(task).content_hash()
    assert read_task(task).content_hash() == before
    (task / "labelvocabulary.csv").write_text("idx,label\n0,a\n1,b\n")
    (task / "test.json").write_text(json.dumps({"test.wav": ["b"]}))
    assert read_task(task).content_hash() != before
