"""The archive is unpacked whole or not at all, and never outside its folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from benchmarks.hear.tasks.spoken_digit import ARCHIVE, TASK_NAME, make_spoken_digit


def _write_archive(data_folder: Path, names: list[str]) -> None:
    (data_folder / ARCHIVE).parent.mkdir(parents=True)
    with tarfile.open(data_folder / ARCHIVE, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"{}"))


def test_task_is_unpacked_from_wherever_it_lies_in_the_archive(tmp_path: Path) -> None:
    _write_archive(tmp_path, [f"hear/tasks/{TASK_NAME}/task_metadata.json"])
    task = make_spoken_digit(tmp_path, tmp_path / "tasks")
    assert (task / "task_metadata.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == [TASK_NAME]
    assert make_spoken_digit(tmp_path / "not needed", tmp_path / "tasks") == task


def test_archive_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    _write_archive(tmp_path, ["../../escaped.txt"])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        make_spoken_digit(tmp_path, tmp_path / "tasks")
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not list((tmp_path / "tasks").iterdir())


def test_archive_without_the_task_is_refused(tmp_path: Path) -> None:
    _write_archive(tmp_path, ["hear/tasks/other/task_metadata.json"])
    with pytest.raises(ValueError, match=f"holds 0 folders {TASK_NAME}"):
        make_spoken_digit(tmp_path, tmp_path / "tasks")


def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).parent.mkdir(parents=True)
    (tmp_path / ARCHIVE).write_bytes(b"no archive")
    with pytest.raises(
        ValueError, match=r"cannot be unpacked \(not a gzip file\); fetch the archive again"
    ):
        make_spoken_digit(tmp_path, tmp_path / "tasks")
