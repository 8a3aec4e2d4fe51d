import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_dataset import change_dataset
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hear_brainsoundnet.checkpoint import load_checkpoint, read_checkpoint
from training.config import write_recipe
from training.data.prepared import Prepared
from training.fitting.assembly import Parts, assemble
from training.fitting.export import export
from training.fitting.fit import fit
from training.fitting.fit_folder import OUTCOME_FILE, Epoch, FitFolder, State
from training.fitting.monitoring import draw_curves
from training.fitting.recipe import FitRecipe
from training.processes import join_processes, processes_wanted

SMALL = {
    "start": "untrained",
    "subjects": ["sub-01"],
    "windows": {"n_trs": 8},
    "split": {"test": {"seasons": ["s02"]}, "validation": {"count": 1}},
}


def recipe(data: Path, **changes: Any) -> FitRecipe:
    changes = {"optimiser": {"max_epochs": 2, "learning_rate": 1e-4}, **changes}
    return FitRecipe(data=data, **{**SMALL, **changes})


def fitted(data: Path, out: Path, **changes: Any) -> State:
    fit(recipe(data, **changes), out, progress=False)
    state = FitFolder(out).read_state()
    assert state is not None
    return state


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_a_control_is_trained_as_long_as_its_model(two_subjects: Path, tmp_path: Path):
    """Even where the permuted validation responses would keep the first weights."""
    optimiser = {"max_epochs": 3, "learning_rate": 1e-2, "patience": 1}
    shared = {"control": "permuted_brain", "train_from": "conv7"}
    stopped = fitted(two_subjects, tmp_path / "stopped", optimiser=optimiser, **shared)
    matched = fitted(
        two_subjects, tmp_path / "matched", optimiser={**optimiser, "keep": "last"}, **shared
    )
    assert stopped.best_epoch == 0
    assert (matched.best_epoch, matched.history[-1].epoch) == (3, 3)
    assert_same_weights(matched.best, matched.model)
    assert not torch.equal(
        matched.best["soundnet.conv7.conv.weight"], stopped.best["soundnet.conv7.conv.weight"]
    )
    origin = json.loads((tmp_path / "matched" / OUTCOME_FILE).read_text())
    assert origin["keep"] == "last"


@pytest.mark.slow
def test_equal_seeds_give_equal_losses_to_the_last_bit(two_subjects: Path, tmp_path: Path):
    runs = [
        fitted(two_subjects, tmp_path / str(i), seed=seed, train_from="conv6")
        for i, seed in enumerate((3, 3, 4))
    ]
    losses = [[epoch.train_loss for epoch in run.history[1:]] for run in runs]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert_same_weights(runs[0].model, runs[1].model)


@pytest.mark.slow
def test_runs_that_are_out_of_step_with_their_sound_are_said(
    two_subjects: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    data = tmp_path / "data"
    shutil.copytree(two_subjects, data)
    run = Prepared(data).runs[1]
    mine, others = (
        {"subject": subject, "run": run.name, "lag": 7.5, "r": 0.5}
        for subject in ("sub-01", "sub-02")
    )
    change_dataset(data, out_of_step=[mine, others])
    fit(recipe(data, optimiser={"max_epochs": 0}), tmp_path / "run", progress=False)
    (said,) = [text for text in caplog.messages if "out of step" in text]
    assert said.startswith(f"in 1 of 5 runs sound and responses are out of step: sub-01/{run.name}")
    assert json.loads((tmp_path / "run" / "origin.json").read_text())["doubts"] == [said]


@pytest.mark.slow
def test_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    two_subjects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = recipe(
        two_subjects, train_from="conv6", optimiser={"max_epochs": 3, "learning_rate": 1e-3}
    )
    fit(settings, tmp_path / "whole", progress=False)
    interrupted = tmp_path / "interrupted"
    import training.fitting.fit

    loss_of_step, calls = training.fitting.fit.loss_of_step, iter(range(10_000))

    def interrupt(*arguments: Any) -> torch.Tensor:
        if next(calls) in (2, 11):  # in the middle of the first and of a later epoch
            raise KeyboardInterrupt
        return loss_of_step(*arguments)

    monkeypatch.setattr(training.fitting.fit, "loss_of_step", interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit(settings, interrupted, resume=True, progress=False)
    fit(settings, interrupted, resume=True, progress=False)
    whole, resumed = (FitFolder(tmp_path / name).read_state() for name in ("whole", "interrupted"))
    assert whole is not None
    assert resumed is not None
    assert whole.history[1:] == resumed.history[1:]
    assert_same_weights(whole.model, resumed.model)
    assert_same_weights(whole.best, resumed.best)
    tables = [(tmp_path / name / "scores.csv").read_text() for name in ("whole", "interrupted")]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_killed_run_goes_on(two_subjects: Path, tmp_path: Path):
    settings = recipe(
        two_subjects, train_from="conv7", optimiser={"max_epochs": 4, "learning_rate": 1e-3}
    )
    fit(settings, tmp_path / "whole", progress=False)
    (tmp_path / "recipe.yaml").write_text(write_recipe(settings))
    command = [sys.executable, "-m", "training", "fit", str(tmp_path / "recipe.yaml")]
    command += ["--out", str(tmp_path / "killed"), "--resume"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    state_file = tmp_path / "killed" / "state.pt"
    deadline = time.monotonic() + 120
    while not state_file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    whole, killed = (FitFolder(tmp_path / name).read_state() for name in ("whole", "killed"))
    assert whole is not None
    assert killed is not None
    assert [row.train_loss for row in whole.history[1:]] == [
        row.train_loss for row in killed.history[1:]
    ]
    assert_same_weights(whole.best, killed.best)


@pytest.mark.parametrize("batchnorm", ["frozen", "batch"])
def test_frozen_stages_keep_weights_and_batchnorm_statistics(
    two_subjects: Path, tmp_path: Path, batchnorm: str
):
    before = load_checkpoint("untrained").build_soundnet().state_dict()
    after = fitted(two_subjects, tmp_path / "run", train_from="conv6", batchnorm=batchnorm).model
    for name, tensor in before.items():
        layer = name.split(".")[0]
        same = torch.equal(tensor, after[f"soundnet.{name}"])
        if layer < "conv6" or "running" in name:
            assert same == (layer < "conv6" or batchnorm == "frozen"), name
    assert not torch.equal(before["conv6.conv.weight"], after["soundnet.conv6.conv.weight"])


def test_baseline_changes_nothing_but_the_read_out(two_subjects: Path, tmp_path: Path):
    before = load_checkpoint("untrained").build_soundnet().state_dict()
    state = fitted(two_subjects, tmp_path / "run", train_from="none")
    for name, tensor in before.items():
        assert torch.equal(tensor, state.model[f"soundnet.{name}"]), name


def test_ridge_read_out_finds_a_truth_that_lies_in_the_features(fits: dict[str, Path]):
    with (fits["one"] / "scores.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    responsive = np.mean([float(row["r"]) for row in rows if row["target_id"] != "4"])
    silent = np.mean([float(row["r"]) for row in rows if row["target_id"] == "4"])
    assert responsive > 0.4
    assert abs(silent) < 0.3  # 2 runs of 24 TRs: standard error of about 0.15


@pytest.mark.slow
def test_from_a_ridge_start_the_read_out_is_not_unlearned(two_subjects: Path, tmp_path: Path):
    """At a rate of its own; at larger ones AdamW moves small weights too far in its first steps."""
    worst = {}
    for name, rate in (("own", None), ("large", 1e-3)):
        optimiser = {"max_epochs": 4, "patience": 5, "read_out_learning_rate": rate}
        state = fitted(two_subjects, tmp_path / name, train_from="none", optimiser=optimiser)
        losses = [row.validation_loss for row in state.history]
        worst[name] = max(losses) / losses[0]
    assert worst["own"] < 1.005
    assert worst["large"] > 1.5


@pytest.mark.slow
def test_best_weights_are_kept_and_patience_ends_the_run(two_subjects: Path, tmp_path: Path):
    state = fitted(
        two_subjects,
        tmp_path / "run",
        train_from="none",
        optimiser={"max_epochs": 60, "read_out_learning_rate": 0.02, "patience": 3},
    )
    losses = [row.validation_loss for row in state.history]
    assert state.best_epoch == int(np.argmin(losses))
    assert state.history[-1].epoch == state.best_epoch + 3
    assert state.finished


@pytest.mark.slow
def test_learning_rate_falls_on_a_plateau(two_subjects: Path, tmp_path: Path):
    optimiser = {"max_epochs": 12, "plateau_patience": 1, "patience": 12}
    optimiser["read_out_learning_rate"] = 0.3
    state = fitted(two_subjects, tmp_path / "run", train_from="none", optimiser=optimiser)
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule, expected = ReduceLROnPlateau(other, factor=0.1, patience=1), []
    for row in state.history[1:]:
        expected.append(other.param_groups[0]["lr"])
        schedule.step(row.validation_loss)
    assert [row.learning_rate for row in state.history[1:]] == pytest.approx(expected)
    assert expected[-1] < 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "heads"), [("group", {"group"}), ("multi_subject", {"sub-01", "sub-02"})]
)
def test_several_subjects_share_what_they_should(
    two_subjects: Path, tmp_path: Path, model: str, heads: set[str]
):
    state = fitted(two_subjects, tmp_path / "run", model=model, subjects=[], train_from="conv7")
    assert {name.split(".")[1] for name in state.model if name.startswith("heads.")} == heads


@pytest.mark.slow
def test_correlation_loss_is_minimised(two_subjects: Path, tmp_path: Path):
    read_out = {"initial": "random"}
    optimiser = {"max_epochs": 10, "learning_rate": 1e-3}
    state = fitted(
        two_subjects,
        tmp_path / "run",
        loss="correlation",
        train_from="none",
        read_out=read_out,
        optimiser=optimiser,
    )
    first, last = state.history[1], state.history[-1]
    assert last.train_loss < first.train_loss - 0.1
    assert 1 - last.validation_loss == pytest.approx(last.validation_r, abs=1e-5)


def test_all_files_of_a_fit_are_there(fits: dict[str, Path]):
    names = {path.name for path in fits["one"].iterdir()}
    assert names >= {"config.yaml", "origin.json", "metrics.csv", "curves.png", "scores.csv"}
    assert names >= {"outcome.json", "model.safetensors"}
    assert "tensorboard" not in names
    origin = FitFolder(fits["one"]).read_document("origin.json")
    assert origin["start"]["hash"] == load_checkpoint("untrained").hash
    assert set(origin["split"]) == {"train", "validation", "test"}


def test_tensorboard_has_the_metrics(two_subjects: Path, tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "fit"
    history = fitted(two_subjects, out, tensorboard=True, train_from="none").history
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {field.name for field in fields(Epoch)} - {"epoch"}
    found = [(each.step, each.value) for each in events.Scalars("validation_loss")]
    assert found == [(row.epoch, pytest.approx(row.validation_loss)) for row in history[1:]]


def test_a_fit_is_not_overwritten(fits: dict[str, Path], two_subjects: Path, tmp_path: Path):
    settings = FitFolder(fits["one"]).recipe()
    with pytest.raises(FileExistsError, match="already holds a fit; give --resume"):
        fit(settings, fits["one"], progress=False)
    with pytest.raises(ValueError, match=r"another recipe \(seed differ\)"):
        fit(settings.model_copy(update={"seed": 9}), fits["one"], resume=True, progress=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="not empty and holds no fit"):
        fit(recipe(two_subjects), tmp_path / "other", progress=False)


@pytest.fixture
def finished(fits: dict[str, Path], tmp_path: Path) -> FitFolder:
    """A finished fit to change."""
    return FitFolder(shutil.copytree(fits["one"], tmp_path / "fit"))


def test_a_damaged_state_is_said_to_be_so(finished: FitFolder):
    state = finished.path / "state.pt"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"state\.pt is damaged"):
        fit(finished.recipe(), finished.path, resume=True, progress=False)


def test_full_disk_leaves_the_last_good_state(finished: FitFolder, monkeypatch: pytest.MonkeyPatch):
    before = (finished.path / "state.pt").read_bytes()
    state = finished.read_state()
    assert state is not None

    def full(content: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device", file.name)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        finished.write_state(state)
    assert (finished.path / "state.pt").read_bytes() == before
    assert not list(finished.path.glob(".*tmp"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder_is_an_error(two_subjects: Path, tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        fit(recipe(two_subjects), tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subjects": ["sub-09"]}, "subjects sub-09 are not in .*sub-01, sub-02"),
        ({"subjects": []}, "an individual model has one subject, got sub-01, sub-02"),
        ({"targets": ["Heschl*"]}, "no target matches 'Heschl.*names are like parcel_1"),
        ({"windows": {"n_trs": 60}}, "windows of 60 TRs are longer than run"),
        ({"start": "nowhere.safetensors"}, "no checkpoint 'nowhere.safetensors'"),
        ({"weights_and_biases": "project"}, "wandb is not installed"),
    ],
)
def test_data_and_recipe_that_do_not_fit_say_why(
    two_subjects: Path, tmp_path: Path, changes: dict[str, Any], message: str
):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        fit(recipe(two_subjects, **changes), tmp_path / "run", progress=False)


def test_a_loss_that_explodes_is_said_to_do_so(two_subjects: Path, tmp_path: Path):
    optimiser = {"max_epochs": 3, "learning_rate": 1e30}
    with pytest.raises(ValueError, match="no longer finite in epoch"):
        fitted(two_subjects, tmp_path / "run", train_from="conv7", optimiser=optimiser)
    state = FitFolder(tmp_path / "run").read_state()
    assert state is not None
    assert all(tensor.isfinite().all() for tensor in state.best.values())


def test_a_read_out_of_low_rank_trains_both_its_factors_and_predicts_from_its_checkpoint(
    two_subjects: Path, tmp_path: Path
):
    read_out = {"rank": 2, "n_delays": 3}
    optimiser = {"max_epochs": 2, "read_out_learning_rate": 1e-3, "keep": "last"}
    state = fitted(
        two_subjects, tmp_path / "run", train_from="none", read_out=read_out, optimiser=optimiser
    )
    started = fitted(
        two_subjects,
        tmp_path / "start",
        train_from="none",
        read_out=read_out,
        optimiser={"max_epochs": 0},
    )
    for name in ("heads.sub-01.0.weight", "heads.sub-01.1.weight"):
        assert not torch.equal(state.best[name], started.best[name])
    encoder = read_checkpoint(tmp_path / "run" / "model.safetensors").build_encoder()
    assert encoder.read_out.rank == 2
    predicted = encoder.respond(torch.randn(1, 50, 1024))[0].detach().numpy()
    assert np.linalg.matrix_rank(predicted - predicted[0], tol=1e-3) <= 2 < predicted.shape[1]


def test_a_rank_that_no_weights_can_have_is_refused(two_subjects: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"rank is 5, .* 4 targets have a rank of at most 4"):
        fit(recipe(two_subjects, read_out={"rank": 5}), tmp_path / "run", progress=False)


def test_a_read_out_of_low_rank_from_zero_can_learn(two_subjects: Path):
    parts = assemble(recipe(two_subjects, read_out={"rank": 2, "initial": "zero"}))
    head = parts.encoder.heads["sub-01"]
    assert not any(p.any() for p in head[1].parameters())
    assert head[0].weight.any()


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "accelerate": [
        *("accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"),
        *("--num_processes", "2", "--main_process_port", "0"),
        *("--mixed_precision", "no", "--dynamo_backend", "no"),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("train_from", ["none", "conv6"])
def test_two_processes_have_the_losses_of_one(
    two_subjects: Path, tmp_path: Path, train_from: str, launcher: str
):
    """Two processes with one window each step like one process with two windows."""
    common = {
        "train_from": train_from,
        "batchnorm": "frozen",
        "optimiser": {"max_epochs": 4, "learning_rate": 1e-4},
    }
    one = recipe(two_subjects, windows={"n_trs": 8, "batch_size": 2}, **common)
    fit(one, tmp_path / "one", progress=False)
    two = recipe(two_subjects, windows={"n_trs": 8, "batch_size": 1}, **common)
    (tmp_path / "two.yaml").write_text(write_recipe(two))
    command = [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "training", "fit"]
    command += [str(tmp_path / "two.yaml"), "--out", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env=environment
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stderr.count("fit: 2 processes on cpu") == 1
    states = [FitFolder(tmp_path / name).read_state() for name in ("one", "two")]
    expected, found = (state.history for state in states if state is not None)
    assert len(expected) == len(found) == 5
    assert expected[0].validation_loss != pytest.approx(expected[-1].validation_loss, rel=1e-4)
    for row, other in zip(expected, found, strict=True):
        assert other.validation_loss == pytest.approx(row.validation_loss, rel=1e-5)
        assert other.train_loss == pytest.approx(row.train_loss, rel=1e-5, nan_ok=True)


def test_a_fit_that_no_epoch_made_better_says_so_in_its_results_and_its_card(
    two_subjects: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from training.cli import main

    settings = recipe(
        two_subjects,
        train_from="conv7",
        optimiser={"max_epochs": 2, "learning_rate": 1.0, "patience": 1},
    )
    (tmp_path / "recipe.yaml").write_text(write_recipe(settings))
    words = r"no epoch of 1 was better than the start on the validation runs"
    run, checkpoint = tmp_path / "run", tmp_path / "out.safetensors"
    for command in (
        ["fit", str(tmp_path / "recipe.yaml"), "--out", str(run)],
        ["export", str(run), str(checkpoint)],
    ):
        with pytest.raises(SystemExit, match="0"):
            main(command)
        assert words in capsys.readouterr().out
    outcome = FitFolder(run).read_document("outcome.json")
    assert (outcome["kept_epoch"], outcome["n_epochs"], outcome["ended_by"]) == (0, 1, "patience")
    card = read_checkpoint(checkpoint).card
    assert words in str(card.provenance["outcome"])
    before = load_checkpoint("untrained").build_soundnet().state_dict()
    after = read_checkpoint(checkpoint).build_soundnet().state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    # Moments of AdamW are twice the weights, and no epoch comes that would need them.
    state = FitFolder(run).read_state()
    assert state is not None
    assert state.optimiser == {}
    weights = sum(tensor.numel() * 4 for tensor in state.best.values())
    assert (run / "state.pt").stat().st_size < 2 * weights + 100_000
    assert fit(settings, run, resume=True, progress=False).kept_epoch == 0


def test_a_state_that_takes_long_to_write_is_written_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now = [0.0]
    monkeypatch.setattr("training.fitting.fit_folder.time.monotonic", lambda: now[0])
    folder, written = FitFolder(tmp_path), []

    def write(name: str, content: dict[str, Any]) -> None:
        written.append((now[0], len(content["history"])))
        now[0] += 10  # seconds

    monkeypatch.setattr(folder, "write_tensors", write)
    state = State()
    for epoch in range(20):
        state.history.append(Epoch(epoch, 1.0, 1.0, 0.0, 0.0, 1e-4))
        folder.keep(state)
        now[0] += 30
    times = [when for when, _ in written]
    assert len(times) == 3
    assert all(later - earlier >= 200 for earlier, later in pairwise(times))
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 21  # always up to date


@pytest.mark.slow
def test_exported_checkpoint_holds_what_was_fitted(two_subjects: Path, tmp_path: Path):
    """Although the dataset of the fit is gone."""
    data = tmp_path / "data"
    shutil.copytree(two_subjects, data)
    image = nibabel.Nifti1Image(np.arange(5, dtype=np.int16).reshape(5, 1, 1), np.eye(4))
    nibabel.save(image, data / "targets.nii.gz")
    change_dataset(data)
    state = fitted(data, tmp_path / "run", train_from="conv6", licence="of my own")
    shutil.rmtree(data)
    digest = export(tmp_path / "run", tmp_path / "out.safetensors", name="mine")
    checkpoint = read_checkpoint(tmp_path / "out.safetensors")
    assert checkpoint.hash == digest
    assert checkpoint.card.name == "mine"
    assert checkpoint.card.read_out is not None
    assert checkpoint.card.read_out.subjects == ("sub-01",)
    start = load_checkpoint("untrained")
    assert checkpoint.card.provenance["start"]["hash"] == start.hash
    assert checkpoint.card.licence == f"of my own\n\n{start.card.licence}"  # both have to be kept
    encoder = checkpoint.build_encoder()
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, state.best[name]) or name.endswith("num_batches_tracked")
    assert 0 < checkpoint.card.scores["test"]["mean_r"] < 1
    image = nibabel.load(tmp_path / "out.targets.nii.gz")
    assert image.get_fdata().ravel().tolist() == [0, 1, 2, 3, 4]


def test_a_fit_that_could_not_be_exported_is_refused_before_its_first_step(
    two_subjects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import training.fitting.fit

    def assembled(settings: FitRecipe) -> Parts:
        parts = assemble(settings)
        parts.encoder.read_out = replace(parts.encoder.read_out, names=("sub 01",))
        return parts

    monkeypatch.setattr(training.fitting.fit, "assemble", assembled)
    with pytest.raises(
        ValueError, match=r"checkpoint of this fit would be invalid: .*names of weights"
    ):
        fit(recipe(two_subjects), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_fit_without_its_checkpoint_is_unfinished_and_resuming_writes_the_same_one(
    finished: FitFolder, tmp_path: Path
):
    model, scores = finished.path / "model.safetensors", finished.path / "scores.csv"
    before = read_checkpoint(model), scores.read_bytes()
    model.unlink()
    with pytest.raises(ValueError, match=r"is not finished \(no model.safetensors\); finish it:"):
        export(finished.path, tmp_path / "out.safetensors")
    fit(finished.recipe(), finished.path, resume=True, progress=False)
    assert_same_weights(dict(read_checkpoint(model).tensors), dict(before[0].tensors))
    assert read_checkpoint(model).card.scores == before[0].card.scores
    assert scores.read_bytes() == before[1]
    with pytest.raises(FileNotFoundError, match="holds no fit"):
        export(tmp_path / "nowhere", tmp_path / "out.safetensors")


@pytest.fixture
def axes_of(monkeypatch):
    """The axes of the pictures that are drawn."""
    axes = []
    save = Figure.savefig

    def watch(figure, *arguments, **options):
        save(figure, *arguments, **options)
        axes.extend(figure.axes)

    monkeypatch.setattr(Figure, "savefig", watch)
    return axes


@pytest.mark.parametrize("n_epochs", [2, 3, 4])
def test_epochs_are_whole_numbers(axes_of, n_epochs):
    history = [Epoch(epoch, 1.0, 1.0, 0.1, 0.0, 1e-4) for epoch in range(n_epochs)]
    draw_curves(history, 1)
    assert len(axes_of) == 2
    for axes in axes_of:
        ticks = axes.get_xticks()
        np.testing.assert_array_equal(ticks, np.rint(ticks))


def test_without_a_launcher_there_is_one_process():
    accelerator = join_processes("no")
    assert accelerator.num_processes == 1


def test_a_count_without_ranks_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Two processes that do not know of each other would fit twice into one folder."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ValueError, match=r"WORLD_SIZE is 2, and RANK and LOCAL_RANK do not say"):
        join_processes("no")


def test_processes_that_accelerate_does_not_see_are_refused(monkeypatch: pytest.MonkeyPatch):
    class Alone:
        def __init__(self, **settings: object) -> None:
            self.num_processes = 1

    monkeypatch.setattr("training.processes.Accelerator", Alone)
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"started 2 processes and accelerate sees 1.*torchrun"):
        join_processes("no")


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_mpi_counts_too(name: str):
    assert processes_wanted({name: "3"}) == 3
