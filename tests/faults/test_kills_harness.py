"""The harness itself: it finds a job that cannot be killed, and clears one that can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kills import killed_everywhere


def in_place(folder: Path) -> None:
    """Continues after a file that is there, whole or not."""
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        if not (folder / name).exists():
            (folder / name).write_text(name)


def atomically(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("a", "b"):
        if not (folder / name).exists():
            (folder / f"{name}.part").write_text(name)
            os.replace(folder / f"{name}.part", folder / name)


@pytest.mark.slow
def test_a_job_that_writes_in_place_is_caught_and_one_that_renames_is_not(tmp_path: Path):
    expected = {"a": b"a", "b": b"b"}
    kills = killed_everywhere(in_place, tmp_path / "out", expected)
    assert [place.split()[1:] for place in kills.places] == [
        ["before", "os.mkdir", "."],
        ["before", "open", "a"],
        ["after", "open", "a"],
        ["before", "open", "b"],
        ["after", "open", "b"],
    ]
    assert list(kills.wrong) == ["2 after open a", "3 after open b"]
    assert "different ['a']" in kills.wrong["2 after open a"]
    kills = killed_everywhere(atomically, tmp_path / "out", expected)
    assert len(kills.places) == 7
    assert kills.wrong == {}
