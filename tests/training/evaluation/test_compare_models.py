from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon
from small_evaluations import write_evaluation
from statsmodels.stats.multitest import multipletests

from training.cli import main
from training.evaluation.compare import ComparisonSettings, compare_models
from training.evaluation.folders import COMPARISON_COLUMNS, ComparisonInfo, read_info, read_table

SUBJECTS = tuple(f"sub-{number:02}" for number in range(1, 9))
RUNS = tuple(f"run-{number:02}" for number in range(1, 13))


def drawn(models: dict[str, float], subjects=SUBJECTS, runs=RUNS, n_targets=3, seed=0):
    """Scores around those of the run, each model better by its own amount in the first target."""
    generator = np.random.default_rng(seed)
    better = np.eye(n_targets)[0]
    of_run = {(s, run): generator.normal(0.2, 0.1, n_targets) for s in subjects for run in runs}
    return {
        (model, subject, run): of_run[subject, run]
        + amount * better
        + generator.normal(0, 0.02, n_targets)
        for model, amount in models.items()
        for subject in subjects
        for run in runs
    }


def test_runs_are_paired_and_tested_as_scipy_does(tmp_path: Path):
    scores = drawn({"tuned": 0.05, "frozen": 0.0}, subjects=SUBJECTS[:2])
    evaluation = write_evaluation(tmp_path / "eval", scores)
    info = compare_models(f"{evaluation}:tuned", f"{evaluation}:frozen", tmp_path / "out")
    table = read_table(tmp_path / "out", "targets")
    assert tuple(table.columns) == COMPARISON_COLUMNS
    for subject in SUBJECTS[:2]:
        a, b = (np.array([scores[m, subject, run] for run in RUNS]) for m in ("tuned", "frozen"))
        rows = table[table["subject"] == subject]
        test = wilcoxon(a, b, axis=0)
        assert rows["p"].to_numpy() == pytest.approx(test.pvalue)
        assert rows["statistic"].to_numpy() == pytest.approx(test.statistic)
        assert rows["p_by"].to_numpy() == pytest.approx(
            multipletests(test.pvalue, method="fdr_by")[1]
        )
        assert rows["difference"].to_numpy() == pytest.approx((a - b).mean(axis=0))
        assert rows["a"].to_numpy() == pytest.approx(a.mean(axis=0))
        assert (rows["low"] < rows["difference"]).all()
        assert set(rows["n_runs"]) == {12}
        assert rows["significant"].tolist() == [True, False, False]
    assert (info.n_better, info.n_worse) == (2, 0)
    assert info.smallest_p == pytest.approx(2 / 2**12)
    assert read_info(tmp_path / "out", ComparisonInfo) == info


def test_subjects_are_paired_by_their_means_over_runs(tmp_path: Path):
    """The test of all subjects together is over subjects; it works with one run of each."""
    for n_runs in (4, 1):
        scores = drawn({"a": 0.05, "b": 0.0}, runs=RUNS[:n_runs])
        evaluation = write_evaluation(tmp_path / f"eval-{n_runs}", scores)
        out = tmp_path / f"out-{n_runs}"
        info = compare_models(f"{evaluation}:a", f"{evaluation}:b", out)
        rows = read_table(out, "targets").query("subject == 'all'")
        a, b = (
            np.array([np.mean([scores[m, s, run] for run in RUNS[:n_runs]], 0) for s in SUBJECTS])
            for m in "ab"
        )
        assert rows["p"].to_numpy() == pytest.approx(wilcoxon(a, b, axis=0).pvalue)
        assert rows["difference"].to_numpy() == pytest.approx((a - b).mean(axis=0))
        assert set(rows["n_runs"]) == {8}
    assert (info.n_better, info.n_worse) == (1, 0)
    assert set(read_table(out, "targets")["subject"]) == {"all"}
    assert any("one run says nothing of the spread over runs" in each for each in info.excluded)


def test_runs_that_one_side_lacks_are_left_out_and_named(tmp_path: Path):
    scores = drawn({"a": 0.0, "b": 0.0}, subjects=("sub-01",))
    first = write_evaluation(tmp_path / "first", {k: v for k, v in scores.items() if k[0] == "a"})
    fewer = {k: v for k, v in scores.items() if k[0] == "b" and k[2] not in RUNS[:2]}
    second = write_evaluation(tmp_path / "second", fewer)
    info = compare_models(str(first), str(second), tmp_path / "out")
    assert set(read_table(tmp_path / "out", "targets")["n_runs"]) == {10}
    assert "Not compared: 2 runs of a (sub-01/run-01, sub-01/run-02)" in info.excluded[0]


def test_targets_are_aligned_by_id(tmp_path: Path):
    generator = np.random.default_rng(0)
    scores = {("a", "sub-01", run): generator.normal(0.2, 0.1, 3) for run in RUNS}
    first = write_evaluation(tmp_path / "first", scores, (1, 2, 3))
    moved = {("b", s, run): values[[2, 1, 0]] - 0.1 for (_, s, run), values in scores.items()}
    second = write_evaluation(tmp_path / "second", moved, (3, 7, 9))
    info = compare_models(str(first), str(second), tmp_path / "out")
    table = read_table(tmp_path / "out", "targets")
    assert table["target_id"].tolist() == [3]
    assert table["difference"].to_numpy() == pytest.approx(0.1)
    assert "Targets 1, 2 are left out" in info.excluded[0]
    third = write_evaluation(tmp_path / "third", moved, (7, 8, 9))
    with pytest.raises(ValueError, match=r"share no target id: .* has 1, 2, 3; .* has 7, 8, 9"):
        compare_models(str(first), str(third), tmp_path / "none")


def test_models_of_a_cross_validation_are_paired_in_order(tmp_path: Path):
    """For sounds, which have one score over all of a split: a split is what runs are elsewhere."""
    generator = np.random.default_rng(0)
    base = generator.normal(0.3, 0.1, (10, 3))
    scores = {}
    for model, amount in (("frozen", 0.0), ("tuned", 0.05)):
        for split in range(10):
            noise = generator.normal(0, 0.01, 3)
            scores[f"{model}-{split}", "sub-01", "sounds"] = base[split] + amount + noise
    evaluation = write_evaluation(
        tmp_path / "eval", scores, kind="sound_responses", tr=0.0, score="r2"
    )
    out = tmp_path / "out"
    info = compare_models(f"{evaluation}:tuned-*", f"{evaluation}:frozen-*", out)
    a, b = (
        np.array([scores[f"{model}-{split}", "sub-01", "sounds"] for split in range(10)])
        for model in ("tuned", "frozen")
    )
    table = read_table(out, "targets")
    assert table["p"].to_numpy() == pytest.approx(wilcoxon(a, b, axis=0).pvalue)
    assert table["a"].to_numpy() == pytest.approx(a.mean(axis=0) - 1)  # of R²
    assert set(table["n_runs"]) == {10}
    assert (info.a, info.score) == ("tuned-*", "r2")
    assert "tuned-0 with frozen-0, tuned-1 with frozen-1" in info.notes[0]
    assert "p is smaller than it should be" in info.notes[1]
    with pytest.raises(ValueError, match=r"matches 10 models .* as many in both"):
        compare_models(f"{evaluation}:tuned-*", f"{evaluation}:frozen-0", tmp_path / "no")
    with pytest.raises(ValueError, match="share a single run of a single subject"):
        compare_models(f"{evaluation}:tuned-0", f"{evaluation}:frozen-0", tmp_path / "no")


def test_too_few_runs_for_any_claim_are_said_to_be_so(tmp_path: Path):
    evaluation = write_evaluation(
        tmp_path / "eval", drawn({"a": 0.3, "b": 0.0}, subjects=("sub-01",), runs=RUNS[:5])
    )
    info = compare_models(f"{evaluation}:a", f"{evaluation}:b", tmp_path / "out")
    assert "no p below 0.0625" in info.notes[0]
    assert "nothing can be significant" in info.notes[0]
    settings = ComparisonSettings(correction="none", alpha=0.1)
    info = compare_models(f"{evaluation}:a", f"{evaluation}:b", tmp_path / "lenient", settings)
    assert not info.notes


def test_runs_with_other_sounds_are_not_compared(tmp_path: Path):
    import pandas

    from training.evaluation.folders import write_table

    scores = drawn({"a": 0.0, "b": 0.0}, subjects=("sub-01",))
    first = write_evaluation(tmp_path / "first", {k: v for k, v in scores.items() if k[0] == "a"})
    second = write_evaluation(tmp_path / "second", {k: v for k, v in scores.items() if k[0] == "b"})
    runs = pandas.read_parquet(second / "runs.parquet")
    runs.loc[0, "stimulus"] = "another"
    write_table(second, "runs", runs)
    compare_models(str(first), str(second), tmp_path / "out")
    assert set(read_table(tmp_path / "out", "targets")["n_runs"]) == {11}


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("eval", "eval:b", "holds several models (a, b); name one, as in"),
        ("eval:a", "eval:c", "holds no model 'c'; it has a, b"),
        ("eval:a", "eval:a", "a would be compared with itself"),
        ("eval:a", "nowhere", "nowhere holds no evaluation"),
        ("eval:a", "atlas:b", "equal ids are not the same targets"),
        ("eval:a", "sounds:b", "is of time_series and"),
    ],
)
def test_comparisons_that_cannot_be_are_one_line_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], a: str, b: str, message: str
):
    scores = drawn({"a": 0.0, "b": 0.0}, subjects=("sub-01",), runs=RUNS[:2])
    write_evaluation(tmp_path / "eval", scores)
    write_evaluation(tmp_path / "atlas", scores, atlas="other")
    write_evaluation(tmp_path / "sounds", scores, kind="sound_responses")
    sides = [str(tmp_path / side) for side in (a, b)]
    with pytest.raises(SystemExit) as end:
        main(["compare", *sides, "--out", str(tmp_path / "out")])
    lines = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 1
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out").exists()
