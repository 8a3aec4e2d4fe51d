"""Sweeps on this machine: the same fits as by the command fit, whatever happens to some of them."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_fits import SMALL

from hear_brainsoundnet.checkpoint import read_checkpoint
from training.cli import main
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.sweep.jobs import Resources, gpus_here, run_locally
from training.sweep.results import SCORES, Row, best_rows, read_rows
from training.sweep.sweep import export_best


@pytest.fixture
def recipe(two_subjects: Path, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"data": str(two_subjects), "subjects": ["sub-01"], **SMALL}))
    return path


def table(out: Path) -> list[dict[str, str]]:
    with (out / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    with pytest.raises(SystemExit, match=r"1|2"):
        main(arguments)
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optimiser.rate=1"], "unknown key 'optimiser.rate'"),
        (["seed="], "seed=: a value is empty; expected values separated by commas"),
        (["seed=1,2,3", "--array-limit", "2"], "3 combinations are more than --array-limit 2"),
        (["seed=1", "--on", "slurm"], "--on slurm needs sbatch on the path"),
        (["seed=1", "--partition", "gpu"], "--partition, --time, --cpus and --sbatch apply to"),
        (["seed=1", "--on", "cloud"], "--on must be one of local, slurm, got 'cloud'"),
        (["seed=1", "--on", "slurm", "--sbatch", "qos"], "--sbatch 'qos' is not of the form"),
    ],
)
def test_wrong_calls_are_one_line_and_write_nothing(
    recipe: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    if "--sbatch" not in arguments:
        monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "sweep"
    assert message in refused(["sweep", str(recipe), *arguments, "--out", str(out)], capsys)
    assert not out.exists()


def test_the_folder_of_something_else_is_left_alone(
    recipe: Path, tmp_path: Path, fits: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("recipe: {data: a}\ngrid: {seed: ['1']}\n")
    for out, message in (
        (tmp_path / "other", "was begun with another recipe (grid, recipe differ)"),
        (fits["one"], "unknown key"),
        (recipe.parent, "is not empty and holds no sweep; give another --out"),
    ):
        before = sorted(out.iterdir())
        assert message in refused(["sweep", str(recipe), "seed=2", "--out", str(out)], capsys)
        assert sorted(out.iterdir()) == before


@pytest.mark.slow
def test_a_failed_fit_is_the_only_one_done_again(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    start, out = tmp_path / "start.safetensors", tmp_path / "sweep"
    arguments = ["sweep", str(recipe), f"start=untrained,{start}", "read_out.n_delays=3,5"]
    start.write_bytes(b"no checkpoint")
    again = [*arguments, "--out", str(out), "--at-once", "2"]
    with pytest.raises(SystemExit, match="1"):
        main(again)
    assert [row["state"] for row in table(out)] == ["done", "done", "failed", "failed"]
    assert all(str(start) in row["reason"] for row in table(out)[2:])
    assert "2 of 4 fits failed" in capsys.readouterr().err
    states = [out / "fits" / name / "state.pt" for name in "12"]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in states]

    import hear_brainsoundnet

    package = Path(hear_brainsoundnet.__file__).parent
    shutil.copy(package / "checkpoints" / "soundnet-untrained.safetensors", start)
    with pytest.raises(SystemExit, match="0"):
        main(again)
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in states] == before
    rows = table(out)
    assert [(row["state"], row["reason"]) for row in rows] == [("done", "")] * 4
    assert [row["read_out.n_delays"] for row in rows] == ["3", "5", "3", "5"]
    # The start of the third is the first's under another name.
    assert [rows[2][name] for name in SCORES] == [rows[0][name] for name in SCORES]
    assert (out / "sweep.png").read_bytes()[:4] == b"\x89PNG"

    plain = tmp_path / "plain" / "2"
    settings = yaml.safe_load(recipe.read_text()) | {"read_out": {"n_delays": 5}}
    fit(FitRecipe(**settings), plain, progress=False)
    name = "model.safetensors"
    assert (out / "fits" / "2" / name).read_bytes() == (plain / name).read_bytes()

    best = max(rows, key=lambda row: float(row["validation_r2"]))
    row, _ = export_best(out, tmp_path / "best.safetensors", {})
    assert (row.folder.name, best["best"]) == (best["fit"], "1")
    exported = read_checkpoint(tmp_path / "best.safetensors")
    assert exported.card.name == "sweep"
    assert exported.card.scores == read_checkpoint(row.folder / name).card.scores


@pytest.mark.slow
def test_interrupted_and_started_again_ends_with_the_same_bytes(recipe: Path, tmp_path: Path):
    out = tmp_path / "sweep"
    settings = ["optimiser.max_epochs=100", "optimiser.patience=100", "windows.n_trs=8"]
    command = [sys.executable, "-m", "training", "sweep", str(recipe), *settings, "--out", str(out)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        # What a shell starts in the background ignores it, and so do tests that run there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        metrics = out / "fits" / "1" / "metrics.csv"
        while not (metrics.exists() and len(metrics.read_text().splitlines()) > 5):
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal
        _, messages = process.communicate()
    assert messages == "python -m training: interrupted; the same command continues\n"
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):  # no job is left
        os.killpg(process.pid, 0)
    assert not (out / "fits" / "1" / "model.safetensors").exists()
    assert [row["state"] for row in table(out)] == ["unfinished"]
    subprocess.run(command, check=True)
    plain = tmp_path / "plain" / "1"
    changes = yaml.safe_load(recipe.read_text())
    changes |= {"optimiser": {"max_epochs": 100, "patience": 100}, "windows": {"n_trs": 8}}
    fit(FitRecipe(**changes), plain, progress=False)
    models = [folder / "model.safetensors" for folder in (out / "fits" / "1", plain)]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.slow
def test_each_job_has_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpus_here() == [3, 5]
    files = [tmp_path / name for name in "abcd"]
    script = 'echo "$CUDA_VISIBLE_DEVICES" > {0}.new; mv {0}.new {0}; sleep 1; echo end >> {0}'
    jobs: dict[str, Any] = {
        path.name: partial(subprocess.check_call, script.format(path), shell=True) for path in files
    }
    resources = Resources(at_once=4, gpus=gpus_here())
    overlaps = []
    for name, reason in run_locally(jobs, tmp_path / "jobs", resources):
        assert reason == ""
        running = [path.read_text() for path in files if path.exists() and path.name != name]
        overlaps.append([text for text in running if "end" not in text])
    assert sorted(path.read_text().split()[0] for path in files) == ["3", "3", "5", "5"]
    assert all(len(texts) <= 1 for texts in overlaps)


def test_the_best_is_by_validation_and_among_fits_of_the_same_responses():
    def row(name: str, r2: float, **combination: str) -> Row:
        return Row(Path(name), combination, "done", {"validation_r2": r2})

    rows = [
        row("1", 0.1, subjects="[sub-01]", seed="1"),
        row("2", 0.2, subjects="[sub-01]", seed="2"),
        row("3", 0.05, subjects="[sub-02]", seed="1"),
        row("4", float("nan"), subjects="[sub-02]", seed="2"),
        row("5", float("nan"), subjects="[sub-03]", seed="1"),
    ]
    assert [each.folder.name for each in best_rows(rows)] == ["2", "3"]


def test_scores_are_those_of_the_kept_epoch(fits: dict[str, Path]):
    rows = read_rows({fits["one"]: {"seed": "0"}, fits["one"] / "none": {"seed": "1"}})
    assert [row.state for row in rows] == ["done", "unfinished"]
    kept = read_checkpoint(fits["one"] / "model.safetensors").card.scores
    numbers = rows[0].numbers
    assert numbers["validation_loss"] == kept["validation_loss"]
    assert numbers["validation_r2"] == pytest.approx(kept["validation"]["mean_r2"])
    assert (numbers["epoch"], numbers["n_epochs"]) == (0, 0)


def test_sweep_best_says_what_is_missing(
    tmp_path: Path, fits: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    """A sweep over subjects has a best fit for each."""
    out, file = tmp_path / "sweep", tmp_path / "best.safetensors"
    (out / "fits").mkdir(parents=True)
    for name, fitted in zip("12", fits.values(), strict=False):
        shutil.copytree(fitted, out / "fits" / name)
    grid = {"subjects": ["[sub-01]", "[sub-02]", "[sub-03]"]}
    (out / "config.yaml").write_text(yaml.safe_dump({"recipe": {"data": "a"}, "grid": grid}))
    line = refused(["sweep-best", str(out), str(file)], capsys)
    assert "name one of subjects=[sub-01], subjects=[sub-02]" in line
    line = refused(["sweep-best", str(out), str(file), "subjects=[sub-03]"], capsys)
    assert "has no finished fit with subjects=[sub-03]" in line
    assert not file.exists()
    with pytest.raises(SystemExit, match="0"):
        main(["sweep-best", str(out), str(file), "subjects=[sub-02]", "--name", "two"])
    card = read_checkpoint(file).card
    assert (card.name, card.read_out.subjects) == ("two", ("sub-02",))
