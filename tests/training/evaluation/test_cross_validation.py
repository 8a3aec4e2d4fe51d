"""Cross-validation: a fit for each fold, evaluated as one model."""

import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import yaml
from small_dataset import changing_sound, write_prepared
from small_fits import SMALL, fitted

from training.cli import main
from training.data.prepared import Prepared, Run
from training.evaluation.cross_validation import load
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import read_table
from training.evaluation.predictions import predictions_of, read_prediction
from training.evaluation.settings import EvaluationSettings
from training.fitting.fit_folder import MODEL_FILE, FitFolder
from training.fitting.folds import fit_folds, fold_recipes
from training.partition import partition
from training.report import write_report
from training.scores import pearson_r
from training.statistics import bootstrap_interval

SETTINGS = EvaluationSettings(n_permutations=99, alpha=0.2, correction="none")
FOLDABLE = {**SMALL, "split": {"validation": {"count": 1}}}


def recipe_file(folder: Path, data: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"data": str(data), **FOLDABLE, **changes}))
    return path


@pytest.fixture(scope="module")
def folds(two_subjects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five folds of one episode each, by the command."""
    folder = tmp_path_factory.mktemp("cross-validation")
    recipe = recipe_file(folder, two_subjects, subjects=["sub-01"])
    with pytest.raises(SystemExit, match="0"):
        main(["fit", str(recipe), "--folds", "5", "--out", str(folder / "cv")])
    return folder / "cv"


def test_each_run_is_scored_by_the_fit_that_did_not_see_it(
    folds: Path, two_subjects: Path, tmp_path: Path
):
    info = evaluate([folds], tmp_path / "eval", settings=SETTINGS, progress=False)
    assert [model.name for model in info.models] == ["cv"]
    assert info.models[0].n_folds == 5
    assert any("each run is scored by the fit of 5 that did not see it" in n for n in info.notes)
    scores = read_table(tmp_path / "eval", "scores")
    for fit in folds.iterdir():
        own = pandas.read_csv(fit / "scores.csv").query("split == 'test'")
        (run,) = own.run.unique()
        assert run not in str(FitFolder(fit).read_document("origin.json")["split"]["train"])
        pooled = scores.query("subject == 'sub-01' and run == @run")
        np.testing.assert_allclose(pooled.r, own.r, rtol=1e-4)
    assert set(scores.run) == {run.name for run in Prepared(two_subjects).runs}


def test_scores_and_intervals_are_those_of_all_runs_together(folds: Path, tmp_path: Path):
    evaluate([folds], tmp_path / "eval", settings=SETTINGS, progress=False)
    of_runs = read_table(tmp_path / "eval", "scores").query("subject == 'sub-01'")
    table = of_runs.pivot_table(index="run", columns="target_id", values="r").to_numpy()
    targets = read_table(tmp_path / "eval", "targets").query("subject == 'sub-01'")
    np.testing.assert_allclose(targets.r, table.mean(axis=0), rtol=1e-6)
    assert (targets.n_runs == 5).all()
    expected = bootstrap_interval(table, 0.95, seed=SETTINGS.seed, pooling="mean")
    np.testing.assert_allclose(targets.r_low, np.maximum(expected.low, -1), rtol=1e-6)


def test_started_again_it_fits_what_is_missing(folds: Path, tmp_path: Path):
    begun = tmp_path / "cv"
    shutil.copytree(folds, begun)
    (begun / "fold-3" / MODEL_FILE).unlink()
    shutil.rmtree(begun / "fold-4")
    times = {fit.name: (fit / "state.pt").stat().st_mtime_ns for fit in sorted(begun.iterdir())}
    with pytest.raises(ValueError, match="fold-3 is not finished"):
        load(begun, "cv")
    recipes = fold_recipes(folds.parent / "recipe.yaml", 5)
    fit_folds(recipes, begun, progress=False)
    for fit in sorted(folds.iterdir()):
        same = (begun / fit.name / "scores.csv").read_bytes() == (fit / "scores.csv").read_bytes()
        assert same, fit
    assert (begun / "fold-1" / "state.pt").stat().st_mtime_ns == times["fold-1"]


def test_folders_that_are_no_cross_validation_are_refused(
    folds: Path, two_subjects: Path, tmp_path: Path
):
    part = tmp_path / "part"
    shutil.copytree(folds, part)
    shutil.rmtree(part / "fold-2")
    with pytest.raises(ValueError, match="holds the folds 1, 3, 4, 5 of 5; fit --folds 5,"):
        load(part, "cv")
    fitted(two_subjects, part / "other", subjects=["sub-02"])
    with pytest.raises(ValueError, match="several fits, but not the folds of one"):
        load(part, "cv")


def test_reports_show_it_and_partitions_say_why_not(folds: Path, tmp_path: Path):
    evaluate([folds], tmp_path / "eval", settings=SETTINGS, progress=False)
    page = write_report([tmp_path / "eval"], tmp_path / "report")
    assert "the fit of 5 that did not see it" in page.read_text()
    with pytest.raises(ValueError, match="is a cross-validation; evaluate its folds with runs=own"):
        partition(tmp_path / "eval", tmp_path / "partition", progress=False)


@pytest.mark.parametrize(
    ("n_folds", "changes", "message"),
    [
        (1, [], "split.n_folds: Input should be greater than or equal to 2 (got 1)"),
        (6, [], "split: 6 folds need as many episodes, there are 5"),
        (3, ["split.test={count: 1}"], "test and n_folds both choose the test runs"),
        (5, ["split.validation={seasons: [s03]}"], "no run has season 's03' for validation"),
    ],
)
def test_wrong_calls_are_one_line_and_write_nothing(
    two_subjects: Path,
    tmp_path: Path,
    n_folds: int,
    changes: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    recipe = recipe_file(tmp_path, two_subjects, subjects=["sub-01"])
    command = ["fit", str(recipe), *changes, "--folds", str(n_folds), "--out", str(tmp_path / "x")]
    with pytest.raises(SystemExit, match="1"):
        main(command)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "x").exists()


def test_sounds_without_a_time_axis_are_put_back_in_order(tmp_path: Path):
    generator = np.random.default_rng(0)
    sounds = {f"sound-{i:02}": changing_sound(1.0, seed=i) for i in range(12)}
    runs = [Run("sub-01", s, s, "", s, "", 0.0, 0.0, 1) for s in sounds]
    tables = {run: generator.standard_normal((1, 3)) for run in runs}
    data = write_prepared(tmp_path / "sounds", sounds, tables, tr=0.0)
    recipe = recipe_file(tmp_path, data, split={"validation": {"count": 2}})
    fits = fit_folds(fold_recipes(recipe, 4), tmp_path / "cv", progress=False)
    model = load(tmp_path / "cv", "cv")
    ((_, _, pooled),) = predictions_of(model, model.data, {"sub-01": model.data.runs})
    for fit in fits:
        fold = load(fit, "fold")
        splits = fold.splits.splits_of(fold.data, fold.data.runs)
        tested = [run for run in fold.data.runs if splits[run] == "test"]
        ((_, _, own),) = predictions_of(fold, fold.data, {"sub-01": tested})
        rows = [fold.data.runs.index(run) for run in tested]
        np.testing.assert_array_equal(pooled[rows], own)
    evaluate([tmp_path / "cv"], tmp_path / "eval", settings=SETTINGS, progress=False)
    written = read_prediction(tmp_path / "eval" / "predictions.h5", "cv", "sub-01", "sounds")
    np.testing.assert_allclose(written, pooled, rtol=1e-6)
    measured = np.concatenate([model.data.bold(run) for run in model.data.runs])
    targets = read_table(tmp_path / "eval", "targets")
    np.testing.assert_allclose(targets.r, pearson_r(measured, pooled), rtol=1e-5)
