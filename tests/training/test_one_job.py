"""Every command that writes a folder has it for itself, and a killed first write is no obstacle."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas
import pytest

from hear_brainsoundnet.lock import LOCK_FILE, locked
from training.data.prepared_writer import Claim
from training.evaluation.compare import compare_models
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import ComparisonInfo, begin_folder, read_table, write_table
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.partition import partition
from training.prepare.preparation import prepare_collection
from training.pretraining.loop import pretrain
from training.recipe_folder import RecipeFolder
from training.report import write_report
from training.simulation import simulate
from training.teachers.building import build_table


@pytest.mark.parametrize(
    ("write", "n_before"),
    [
        (prepare_collection, 2),
        (fit, 1),
        (pretrain, 1),
        (build_table, 2),
        (evaluate, 1),
        (compare_models, 2),
        (partition, 1),
        (write_report, 1),
        (simulate, 0),
    ],
)
def test_a_second_job_is_refused(tmp_path: Path, write: Any, n_before: int):
    """Before it looks at anything else: the arguments before the folder are not even there."""
    arguments: list[Any] = [None] * n_before + [tmp_path / "out"]
    if write is simulate:
        arguments.append(None)
    with (
        locked(tmp_path / "out"),
        pytest.raises(BlockingIOError, match="out: another job is writing here"),
    ):
        write(*arguments)


@pytest.fixture
def first_write(tmp_path: Path) -> Path:
    """What a job leaves that is killed in its first write."""
    out = tmp_path / "out"
    out.mkdir()
    for name in (LOCK_FILE, ".config.yaml.77.tmp", ".preparing.json.77.tmp"):
        (out / name).touch()
    return out


def test_leftovers_do_not_make_a_folder_foreign(first_write: Path):
    RecipeFolder(first_write, FitRecipe).begin(FitRecipe(data=Path("data")), resume=False)
    assert sorted(path.name for path in first_write.iterdir()) == [LOCK_FILE, "config.yaml"]


def test_leftovers_do_not_make_a_dataset_foreign(first_write: Path):
    Claim(first_write, "film")
    names = sorted(path.name for path in first_write.iterdir())
    assert names == [".preparing.json", LOCK_FILE]


def test_leftovers_do_not_make_an_evaluation_foreign(first_write: Path):
    begin_folder(first_write, ComparisonInfo)
    assert [path.name for path in first_write.iterdir()] == [LOCK_FILE]


def test_an_empty_state_counts_as_not_written(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "state.pt").touch()
    assert RecipeFolder(tmp_path, FitRecipe).read_tensors("state.pt") is None
    assert "state.pt is empty, as after a power cut: it counts as not written" in caplog.text
    (tmp_path / "state.pt").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"state\.pt is damaged"):
        RecipeFolder(tmp_path, FitRecipe).read_tensors("state.pt")


def test_names_are_no_formulas_and_numbers_stay_numbers(tmp_path: Path):
    rows = [{"target": "=cmd()", "r": -0.25}, {"target": "plain, or not", "r": 0.5}]
    RecipeFolder(tmp_path, FitRecipe).write_table("scores.csv", rows)
    write_table(tmp_path, "targets", pandas.DataFrame(rows))
    for name in ("scores.csv", "targets.csv"):
        with (tmp_path / name).open(newline="") as file:
            found = list(csv.DictReader(file))
        assert [row["target"] for row in found] == ["'=cmd()", "plain, or not"]
        assert [float(row["r"]) for row in found] == [-0.25, 0.5]
    assert read_table(tmp_path, "targets")["target"].tolist() == ["=cmd()", "plain, or not"]
