import json
import shlex
import shutil
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pandas
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score
from small_dataset import change_dataset, changing_sound, write_prepared
from small_fits import N_PERMUTATIONS, fitted

from training.cli import main
from training.data.prepared import Prepared, Run
from training.evaluation import evaluate as evaluate_module
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import EvaluationInfo, read_info, read_table
from training.evaluation.predictions import read_prediction
from training.evaluation.settings import EvaluationSettings
from training.fitting.assembly import assemble
from training.fitting.fit_folder import FitFolder
from training.report.models import mean_scores
from training.statistics.surrogates import draw_surrogates, surrogates_of

SUBJECTS = ("sub-01", "sub-02")


def runs_of(evaluation: Path, data: Path, model: str, subject: str):
    """Measured and predicted responses of the runs that were scored, in their order."""
    prepared = Prepared(data)
    table = read_table(evaluation, "runs")
    names = table[(table["model"] == model) & (table["subject"] == subject)]["run"]
    runs = {run.name: run for run in prepared.runs if run.subject == subject}
    path = evaluation / "predictions.h5"
    return {
        name: (prepared.bold(runs[name]), read_prediction(path, model, subject, name))
        for name in names
    }


def test_scores_are_those_of_scipy_and_scikit_learn(evaluation: Path, two_subjects: Path):
    scores = read_table(evaluation, "scores")
    assert len(scores) == 2 * 2 * 2 * 4  # models, subjects, test runs, targets
    for (model, subject), rows in scores.groupby(["model", "subject"]):
        runs = runs_of(evaluation, two_subjects, model, subject)
        for row in rows.itertuples():
            measured, predicted = (table[:, row.target_id - 1] for table in runs[row.run])
            assert row.r == pytest.approx(pearsonr(measured, predicted).statistic, abs=1e-6)
            assert row.r2 == pytest.approx(r2_score(measured, predicted), abs=1e-5)
            assert row.n_trs == 24
    text = pandas.read_csv(evaluation / "scores.csv")
    pandas.testing.assert_frame_equal(text, scores, check_dtype=False)


def test_tables_hold_every_model_on_every_subject(evaluation: Path):
    info = read_info(evaluation, EvaluationInfo)
    assert [model.name for model in info.models] == ["one", "two"]
    assert info.subjects == SUBJECTS
    targets = read_table(evaluation, "targets")
    found = targets.groupby(["model", "subject"], sort=False).size()
    wanted = [(m.name, s) for m in info.models for s in (*SUBJECTS, "all")]
    assert dict(found) == dict.fromkeys(wanted, 4)
    assert list(found.index) == wanted
    for model in ("one", "two"):
        assert (evaluation / "models" / model / "config.yaml").exists()
        assert (evaluation / "models" / model / "metrics.csv").exists()


def test_targets_are_means_over_runs_and_then_over_subjects(evaluation: Path):
    scores, targets = read_table(evaluation, "scores"), read_table(evaluation, "targets")
    targets = targets.set_index(["model", "subject", "target_id"])
    means = scores.groupby(["model", "subject", "target_id"])[["r", "r2"]].mean()
    for key, row in means.iterrows():
        assert targets.loc[key, "r"] == pytest.approx(row["r"])
        assert targets.loc[key, "r2"] == pytest.approx(row["r2"])
    for (model, target), rows in means.groupby(level=["model", "target_id"]):
        assert targets.loc[(model, "all", target), "r"] == pytest.approx(rows["r"].mean())
    assert set(targets["n_runs"]) == {2}  # two runs of a subject; two subjects of "all"


def test_p_values_are_those_of_a_plain_loop(evaluation: Path, two_subjects: Path):
    """Shifts are drawn for each run, and are the same for both subjects of it."""
    targets = read_table(evaluation, "targets").set_index(["model", "subject"])
    circular = surrogates_of("circular_shift")
    shifts = list(draw_surrogates(circular, [24, 24], N_PERMUTATIONS, seed=0))

    def mean_r(runs, draw=None):
        r = []
        for (y, p), own in zip(runs.values(), shifts, strict=True):
            shifted = p if draw is None else np.roll(p, own[draw], axis=0)
            r.append([np.corrcoef(y[:, i], shifted[:, i])[0, 1] for i in range(4)])
        return np.mean(r, axis=0)

    runs_of_both = {s: runs_of(evaluation, two_subjects, "one", s) for s in SUBJECTS}
    observed = {subject: mean_r(runs) for subject, runs in runs_of_both.items()}
    null = {
        s: np.array([mean_r(runs, draw) for draw in range(N_PERMUTATIONS)])
        for s, runs in runs_of_both.items()
    }
    for each in (observed, null):
        each["all"] = np.mean([each[subject] for subject in SUBJECTS], axis=0)
    for subject in observed:
        reached = (null[subject] >= observed[subject] - 1e-9).sum(axis=0)
        expected = (1 + reached) / (1 + N_PERMUTATIONS)
        assert targets.loc[("one", subject), "p"].to_numpy() == pytest.approx(expected)
        largest = null[subject].max(axis=1)
        reached = (largest[:, None] >= observed[subject] - 1e-9).sum(axis=0)
        assert targets.loc[("one", subject), "p_fwe"].to_numpy() == pytest.approx(
            (1 + reached) / (1 + N_PERMUTATIONS)
        )


def test_targets_in_blocks_give_the_same_tables(
    two_subjects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Surrogates are those of all blocks together, and the largest score is over all targets."""
    fits = [fitted(two_subjects, tmp_path / s, subjects=[s]) for s in SUBJECTS]
    settings = EvaluationSettings(n_permutations=N_PERMUTATIONS, inter_subject=True)
    evaluate(fits, tmp_path / "whole", settings=settings)
    monkeypatch.setattr("training.evaluation.measured.TARGETS_AT_ONCE", 3)
    evaluate(fits, tmp_path / "blocks", settings=settings)
    for name in ("scores", "targets", "runs"):
        whole, blocks = (read_table(tmp_path / each, name) for each in ("whole", "blocks"))
        pandas.testing.assert_frame_equal(whole, blocks, rtol=1e-12)


@pytest.mark.slow
def test_memory_does_not_grow_with_targets_times_permutations_or_trs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All surrogates' scores of all targets would be 64 MB, all runs' responses 15 MB."""
    n_targets, n_trs, n_runs = 8_000, 40, 12
    generator = np.random.default_rng(0)
    sounds = {name: changing_sound(70, seed) for seed, name in enumerate("abcdefghijkl"[:n_runs])}
    tables = {
        Run("sub-01", name, name, "", name, "", 0.0, 1.49, n_trs): generator.standard_normal(
            (n_trs, n_targets)
        )
        for name in sounds
    }
    data = write_prepared(tmp_path / "data", sounds, tables, 1.49)
    split = {"test": {"runs": list("cdefghijkl")}, "validation": {"count": 1}}
    low = fitted(data, tmp_path / "low", split=split, read_out={"rank": 3})
    monkeypatch.setattr("training.scores.TARGETS_AT_ONCE", 256)
    monkeypatch.setattr("training.evaluation.measured.TARGETS_AT_ONCE", 256)
    tracemalloc.start()
    settings = EvaluationSettings(n_permutations=1000)
    evaluate([low], tmp_path / "evaluation", settings=settings, progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    table_of_scores = read_table(tmp_path / "evaluation", "scores").memory_usage(deep=False).sum()
    assert peak < 6 * table_of_scores < 1000 * n_targets * 8


def test_a_model_predicts_its_own_subject_best(evaluation: Path):
    table = mean_scores(read_table(evaluation, "targets"))
    assert table.loc["one", "sub-01"] > table.loc["one", "sub-02"] + 0.1
    assert table.loc["two", "sub-02"] > table.loc["two", "sub-01"] + 0.1


@pytest.mark.slow
def test_multi_subject_models_answer_with_the_head_of_the_subject(
    two_subjects: Path, evaluation: Path, tmp_path: Path
):
    """On a frozen network its read-outs are those of two individual models."""
    both = fitted(two_subjects, tmp_path / "both", model="multi_subject")
    evaluate([both], tmp_path / "eval", settings=EvaluationSettings(n_permutations=0))
    table = mean_scores(read_table(tmp_path / "eval", "targets"))
    own = mean_scores(read_table(evaluation, "targets"))
    assert table.loc["both", "sub-01"] == pytest.approx(own.loc["one", "sub-01"], abs=1e-4)
    assert table.loc["both", "sub-02"] == pytest.approx(own.loc["two", "sub-02"], abs=1e-4)


@pytest.mark.slow
def test_untrained_models_have_the_shape_of_the_first_and_weights_of_their_seed(
    fits: dict[str, Path], tmp_path: Path
):
    settings = EvaluationSettings(n_permutations=0, untrained=2, seed=5)
    info = evaluate([fits["one"]], tmp_path / "eval", settings=settings)
    assert [model.name for model in info.models] == ["one", "untrained-0", "untrained-1"]
    assert [model.start for model in info.models[1:]] == ["random, seed 5", "random, seed 6"]
    scores = read_table(tmp_path / "eval", "scores")
    assert scores.groupby("model")["run"].nunique().tolist() == [2, 2, 2]
    own = mean_scores(read_table(tmp_path / "eval", "targets"))["sub-01"]
    assert own["one"] > own["untrained-0"] + 0.1
    assert own["one"] > own["untrained-1"] + 0.1
    assert own["untrained-0"] != own["untrained-1"]


@pytest.mark.slow
@pytest.mark.parametrize("tr_sampling", ["interpolate", "crop"])
def test_predictions_are_those_that_a_fit_scores(
    two_subjects: Path, tmp_path: Path, tr_sampling: str
):
    """With "crop", where each window of 10 TRs begins again, too."""
    read_out = {"tr_sampling": tr_sampling, "stage": "conv7", "n_delays": 3}
    run = fitted(
        two_subjects,
        tmp_path / "run",
        subjects=["sub-01"],
        read_out=read_out,
        windows={"n_trs": 10},
    )
    evaluate([run], tmp_path / "eval", settings=EvaluationSettings(n_permutations=0))
    recipe, state = FitFolder(run).recipe(), FitFolder(run).read_state()
    assert state is not None
    parts = assemble(recipe)
    parts.encoder.load_state_dict(state.best)
    expected = parts.predictor.predict_runs(parts.splits.test)
    for test_run, table in zip(parts.splits.test, expected, strict=True):
        found = read_prediction(
            tmp_path / "eval" / "predictions.h5", "run", "sub-01", test_run.name
        )
        np.testing.assert_allclose(found, table, atol=1e-4)


@pytest.mark.slow
def test_an_interrupted_evaluation_is_no_evaluation_and_can_be_repeated(
    fits: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = EvaluationSettings(n_permutations=99, correction="bh")
    evaluate([fits["one"]], tmp_path / "whole", settings=settings)
    broken = tmp_path / "broken"
    with monkeypatch.context() as patch:
        patch.setattr(evaluate_module, "write_info", interrupt)
        with pytest.raises(KeyboardInterrupt):
            evaluate([fits["one"]], broken, settings=settings)
    (broken / ".predictions.h5.123.tmp").write_bytes(b"half")
    with pytest.raises(FileNotFoundError, match="or an unfinished one"):
        read_info(broken, EvaluationInfo)
    evaluate([fits["one"]], broken, settings=settings)
    for name in ("scores.csv", "targets.csv", "runs.csv"):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    names = {path.name for path in broken.iterdir()}
    assert names == {path.name for path in (tmp_path / "whole").iterdir()}
    document = broken / "evaluation.json"
    document.write_text(document.read_text().replace('"format_version": 2', '"format_version": 1'))
    with pytest.raises(
        ValueError, match=r"json has format version 1, expected 2; make .*broken ag"
    ):
        read_info(broken, EvaluationInfo)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_in_the_way_is_left_alone(fits: dict[str, Path], evaluation: Path, tmp_path: Path):
    with pytest.raises(FileExistsError, match="already holds a complete evaluation"):
        evaluate([fits["one"]], evaluation, settings=EvaluationSettings(n_permutations=0))
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match=r"not empty and holds no .*\(it has letter\.txt\)"):
        evaluate([fits["one"]], tmp_path, settings=EvaluationSettings(n_permutations=0))
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_one_run_has_no_interval_and_all_its_shifts(fits: dict[str, Path], tmp_path: Path):
    info = evaluate(
        [fits["one"]],
        tmp_path / "eval",
        settings=EvaluationSettings(split="validation", subjects=("sub-01",)),
    )
    targets = read_table(tmp_path / "eval", "targets")
    assert targets[["r_low", "r_high", "r2_low", "r2_high"]].isna().all().all()
    assert info.n_permutations == 23  # shifts of 24 TRs
    assert info.smallest_p == pytest.approx(1 / 24)
    notes = " ".join(info.notes)
    assert "one on sub-01: there is one run only" in notes
    assert "there are only 23 different surrogates" in notes
    assert "nothing could ever be significant; make at least 166 permutations" in notes


def test_without_permutations_no_p_value_is_spoken_of(
    fits: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """And each subject is correlated with the mean of the others, which is no ceiling."""
    arguments = ["n_permutations=0", "inter_subject=true"]
    arguments = ["evaluate", str(fits["one"]), "--out", str(tmp_path / "eval"), *arguments]
    monkeypatch.setattr("sys.argv", ["/checkout/training/__main__.py", *arguments])
    with pytest.raises(SystemExit):
        main(arguments)
    said = capsys.readouterr().out
    assert "; no p values; see " in said
    assert "smallest possible p" not in said
    targets = pandas.read_csv(tmp_path / "eval" / "targets.csv")
    assert targets[["p", "significant", "ceiling_r", "r_fraction"]].isna().all(axis=None)
    assert targets["inter_subject_r"].between(-1, 1).all()
    document = json.loads((tmp_path / "eval" / "evaluation.json").read_text())
    assert document["command"] == shlex.join(["python", "-m", "training", *arguments])


def test_constant_targets_have_no_scores_and_are_named(
    fits: dict[str, Path], two_subjects: Path, tmp_path: Path
):
    copied = tmp_path / "data"
    shutil.copytree(two_subjects, copied)
    with h5py.File(copied / "bold" / "sub-01.h5", "a") as file:
        for number, run in enumerate(file):
            file[run][:, 1] = 0
            if number == 3:
                file[run][:, 2] = np.nan
    change_dataset(copied)
    settings = EvaluationSettings(n_permutations=19, correction="none", subjects=("sub-01",))
    info = evaluate([fits["one"]], tmp_path / "eval", on=copied, settings=settings)
    targets = read_table(tmp_path / "eval", "targets").set_index("target_id")
    assert targets.loc[2, ["r", "r2", "p", "p_by"]].isna().all()
    assert not targets.loc[2, "significant"]
    assert targets["n_runs"].tolist() == [2, 0, 1, 2]
    said = " ".join(info.excluded)
    assert "Targets 2 of sub-01 are missing or constant in all runs, and have no scores" in said
    assert "Targets 3 of sub-01 are missing or constant in some runs" in said


def test_too_few_permutations_are_refused_with_the_number_needed(
    fits: dict[str, Path], tmp_path: Path
):
    with pytest.raises(ValueError, match="make at least 166 permutations"):
        evaluate([fits["one"]], tmp_path / "eval", settings=EvaluationSettings(n_permutations=9))
    assert not (tmp_path / "eval").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["null=shuffle"], "its p values are much too small"),
        (["ceiling=repeats"], "sub-01, sub-02 had no stimulus twice in the test split"),
        (["subjects=[sub-09]"], "subjects sub-09 are not in"),
        (["--name", "a", "--name", "b"], "2 names for 1 fits"),
        (["--name", "a/b"], "cannot be the name of a model"),
        (["--on", "nowhere"], "nowhere is not a prepared dataset"),
        (["pooling=fisher_z", "score=r2"], "Fisher's z is of correlations"),
        (["alpha=2"], "settings: alpha: Input should be less than 1"),
    ],
)
def test_errors_are_one_line_and_exit_1(
    fits: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
):
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(fits["one"]), "--out", str(tmp_path / "eval"), *arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 1
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "eval").exists()


def test_unfinished_and_missing_runs_are_refused(fits: dict[str, Path], tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nothing holds no fit \(no config\.yaml\)"):
        evaluate([tmp_path / "nothing"], tmp_path / "eval")
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "config.yaml").write_bytes((fits["one"] / "config.yaml").read_bytes())
    with pytest.raises(ValueError, match=r"begun is not finished .*finish it: python -m tr"):
        evaluate([begun], tmp_path / "eval")
    for name in ("model.safetensors", "outcome.json", "metrics.csv"):
        (begun / name).write_bytes((fits["one"] / name).read_bytes())
    origin = json.loads((fits["one"] / "origin.json").read_text())
    origin["split"]["train"][0] = "sub-01/gone"
    (begun / "origin.json").write_text(json.dumps(origin))
    with pytest.raises(ValueError, match="its run sub-01/gone is no longer there"):
        evaluate([begun], tmp_path / "eval")
