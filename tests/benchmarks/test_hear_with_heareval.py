"""The real tools run to their end: the validator, the embeddings runner, the predictions runner."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rounding import largest_difference, network_rounding
from small_tasks import SAMPLE_RATE, write_task

from benchmarks.hear.heareval_process import HearevalError, run_heareval
from benchmarks.hear.run import run_model
from benchmarks.hear.scores import read_json
from benchmarks.hear.tasks.onsets import make_onsets
from benchmarks.hear.tasks.spoken_digit import make_spoken_digit
from hear_brainsoundnet import get_scene_embeddings, load_model

pytestmark = pytest.mark.heartools


@pytest.fixture(autouse=True)
def _heareval() -> None:
    pytest.importorskip("heareval", reason="heareval is not installed")


@pytest.mark.slow
def test_validator_accepts_the_yardstick() -> None:
    command = [
        sys.executable,
        "-m",
        "hearvalidator.validate",
        "benchmarks.hear.logmel",
        "-d",
        "cpu",
    ]
    validator = subprocess.run(command, capture_output=True, text=True)
    assert validator.returncode == 0, validator.stderr
    assert "Looks good!" in validator.stdout


def test_failing_heareval_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(HearevalError, match=r"status 1: .*should be a directory.*output\.log"):
        run_heareval("predictions", [str(tmp_path / "nothing")], log=tmp_path / "output.log")


def test_the_kit_writes_the_embeddings_that_the_plugin_gives(tmp_path: Path) -> None:
    task = write_task(tmp_path / "tasks")
    clip = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    soundfile.write(task / str(SAMPLE_RATE) / "train" / "train.wav", clip, SAMPLE_RATE)
    options = {"preset": "paper", "sample_rate": SAMPLE_RATE}
    arguments = ["hear_brainsoundnet", "--tasks-dir", str(task.parent), "--task", task.name]
    arguments += ["--embeddings-dir", str(tmp_path / "embedded")]
    arguments += ["--model-options", json.dumps(options)]
    run_heareval("embeddings", arguments, log=tmp_path / "output.log")
    (found,) = (tmp_path / "embedded").rglob("train.wav.embedding.npy")
    audio, _ = soundfile.read(task / str(SAMPLE_RATE) / "train" / "train.wav", dtype="float32")
    expected = get_scene_embeddings(torch.from_numpy(audio)[None], load_model(**options))[0]
    assert largest_difference(torch.from_numpy(np.load(found)), expected) <= network_rounding()


@pytest.mark.slow
def test_patches_give_back_what_they_took() -> None:
    """In a process of its own: heareval's imports would slow and change this one."""
    code = """
import torch
from heareval.predictions import task_predictions
from pytorch_lightning import Trainer
from benchmarks.hear.heareval_process import heareval_on_current_libraries
load, seed_everything = torch.load, task_predictions.seed_everything
trainer = Trainer(logger=False, enable_checkpointing=False)
with heareval_on_current_libraries(43):
    trainer.fit_loop.current_epoch = 7
    assert trainer.current_epoch == 7
    assert task_predictions.seed_everything(42, workers=False) == 43
    assert torch.initial_seed() == 43
assert torch.load is load
assert task_predictions.seed_everything is seed_everything
assert not hasattr(type(trainer.fit_loop), "current_epoch")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.realdata
def test_spoken_digit_runs_to_its_end(data_folder: Path, tmp_path: Path) -> None:
    make_spoken_digit(data_folder, tmp_path / "tasks")
    scores = run_model(
        "hear_brainsoundnet", tmp_path / "tasks", tmp_path / "out", options={"preset": "paper"}
    )
    (run,) = read_json(scores)["runs"]
    assert 0.0 <= run["scores"]["top1_acc"] <= 1.0
    assert len(run["splits"]) == 5
    assert math.isfinite(run["std_over_folds"]["top1_acc"])
    assert run["train_seconds"] == 80.0
    assert "Received embedding" in (scores.parent / "validation.log").read_text()


@pytest.mark.slow
@pytest.mark.realdata
def test_onset_task_runs_to_its_end(data_folder: Path, tmp_path: Path) -> None:
    """All of heareval's own settings; only fewer clips than the benchmark has."""
    n_clips = {"train": 6, "valid": 3, "test": 3}
    make_onsets(data_folder, tmp_path / "tasks", n_clips=n_clips)
    scores = run_model(
        "hear_brainsoundnet",
        tmp_path / "tasks",
        tmp_path / "out",
        options={"preset": "paper"},
        with_validator=False,
    )
    (run,) = read_json(scores)["runs"]
    assert list(run["scores"]) == sorted(run["evaluation"])
    assert run["scores"]["segment_1s_er"] is not None
