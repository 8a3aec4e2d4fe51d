"""The part ``teachers`` of a recipe: what is wrong with it is said before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ramp_corpus import ramp_corpus

from training.config import validate
from training.corpus.corpus import Corpus
from training.pretraining.recipe import TeacherSettings
from training.pretraining.teachers import Teachers
from training.teachers.building import build_table
from training.teachers.teacher import Teacher


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return ramp_corpus(tmp_path_factory.mktemp("ramps") / "audio")


@pytest.fixture(scope="module")
def table(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "mean"
    build_table(corpus, Teacher("mean_teacher"), folder)
    return folder


def settings(**changes: Any) -> TeacherSettings:
    return validate({"stages": ["conv7"], **changes}, TeacherSettings, (), source="recipe.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": []}, "stages: "),
        ({"stages": ["conv9"]}, r"stages.0: .*'conv7' \(got 'conv9'\)"),
        ({"stages": ["conv5", "conv5"]}, "a stage is given twice"),
        ({"statistics": ["sum"]}, "statistics.0: .*'mean', 'std' or 'max'"),
        ({"weight": -1}, "weight: "),
        ({"checkpoint": "yamnet.tflite"}, "give the module, too"),
        ({"tables": "x"}, "unknown key 'tables'"),
    ],
)
def test_wrong_settings_are_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^recipe.yaml: .*{message}") as caught:
        settings(table="table", **changes)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_of_this_corpus_and_teacher_is_refused(
    corpus: Corpus, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match="not a table of embeddings"):
        Teachers({"one": settings(table=tmp_path / "none")}, corpus)
    other = ramp_corpus(tmp_path / "other", slope=0.04)
    with pytest.raises(ValueError, match=r"the table .*mean belongs to another corpus"):
        Teachers({"one": settings(table=table)}, other)
    with pytest.raises(ValueError, match=r"another teacher: expected training\.teachers.yamnet"):
        Teachers({"one": settings(table=table, module="training.teachers.yamnet")}, corpus)
    (tmp_path / "weights").write_text("")
    with_weights = settings(table=table, module="mean_teacher", checkpoint=tmp_path / "weights")
    with pytest.raises(ValueError, match=r"another checkpoint of the teacher: .* found none"):
        Teachers({"one": with_weights}, corpus)
    monkeypatch.setattr("mean_teacher.__version__", "4")
    with pytest.raises(ValueError, match="another version of the teacher: expected 4, found 3"):
        Teachers({"one": settings(table=table, module="mean_teacher")}, corpus)
