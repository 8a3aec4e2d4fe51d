"""Faults of HEAR modules are refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.teachers.teacher import Teacher


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("load", "load_model failed: RuntimeError: weights for another network"),
        ("rate", "expected a sample rate of 16000, .* got 12345"),
        ("size", "timestamp_embedding_size to be a number of values, got 'three'"),
        ("large", "returned values beyond 65504"),
        ("shape", r"returned shape \(1, 60, 2\) for one clip, expected \(1, n_frames, 3\)"),
        ("short", r"timestamps of shape \(1, 59\), expected one for each frame: \(1, 60\)"),
        ("order", "timestamps that do not ascend"),
        ("seconds", "timestamps up to 5.95 for 6 s of audio; expected milliseconds"),
        ("none", "returned no embedding of 6 s of noise"),
        ("alone", "returned Tensor, expected embeddings and timestamps"),
    ],
)
def test_inconsistent_module_is_refused(tmp_path: Path, fault: str, message: str) -> None:
    (tmp_path / "weights").write_text(fault)
    with pytest.raises(ValueError, match=f"^mean_teacher: .*{message}") as caught:
        Teacher("mean_teacher", tmp_path / "weights")
    assert "\n" not in str(caught.value)


def test_nan_is_refused_for_the_sound_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("nan")
    teacher = Teacher("mean_teacher", tmp_path / "weights")
    teacher.embed(np.full(22_050, 0.5, dtype=np.float32))
    with pytest.raises(
        ValueError, match="returned NaN; fix the module, or leave such recordings out"
    ):
        teacher.embed(np.full(22_050, 0.95, dtype=np.float32))


def test_scenes_of_other_sizes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("scene")
    with pytest.raises(
        ValueError, match=r"returned shape \(11, 2\) for 11 clips, expected \(11, 3\)"
    ):
        Teacher("mean_teacher", tmp_path / "weights", scene_seconds=1.0)


def test_missing_broken_and_other_modules_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_teacher.py").write_text("1 / 0")
    with pytest.raises(ValueError, match=r"cannot import the teacher 'no_teacher': .*No module"):
        Teacher("no_teacher")
    with pytest.raises(ValueError, match="'broken_teacher': ZeroDivisionError: division by zero"):
        Teacher("broken_teacher")
    with pytest.raises(
        ValueError, match="module 'json' has no load_model; it is not a HEAR module"
    ):
        Teacher("json")


def test_version_of_a_module_without_one_is_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mean_teacher

    source = Path(mean_teacher.__file__).read_text().replace('__version__ = "3"', "")
    found = []
    for i, text in enumerate([source, source, source + "\n# changed\n"]):
        (tmp_path / str(i)).mkdir()
        name = f"nameless_teacher_{i}"
        (tmp_path / str(i) / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path / str(i))
        found.append(Teacher(name).identity.version)
    assert found[0] == found[1] != found[2]
