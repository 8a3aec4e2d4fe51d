"""What Freteault et al. 2025 report comes out of their tables again, figure by figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from scipy.stats import wilcoxon

from benchmarks.hear.leaderboard import read_leaderboard
from benchmarks.published.encoding import (
    FINAL_SETTINGS,
    PUBLISHED,
    STG_BEST,
    TABLE,
    at_final_settings,
    cell,
    depths,
    figures,
    gains,
    is_reproduced,
    paired,
    pairs,
    read_runs,
    run_encoding,
)
from benchmarks.published.hear import (
    BASELINE,
    GROUP,
    INDIVIDUAL,
    TASKS,
    matched_gains,
    means_over_tasks,
    of_kind,
    rank_gains,
    read_models,
    run_hear,
    task_figures,
    wilcoxon_p,
)
from benchmarks.published.hear import (
    tests_against_the_median as against_the_median,
)
from benchmarks.results import read_result, write_result

RESULTS = Path(__file__).parents[2] / "benchmarks" / "published" / "results"
STAGES = ("no", "conv7", "conv6", "conv5", "conv4")


def made_up_runs() -> pandas.DataFrame:
    """All subjects at their final settings, sub-05 without fine-tuned runs, and one other row."""
    generator = np.random.default_rng(0)
    rows = []
    for scale, subjects in FINAL_SETTINGS.items():
        for subject, (window_trs, n_delays) in subjects.items():
            row = {"scale": scale, "sub": subject, "bs": window_trs, "ks": n_delays}
            for stage in STAGES:
                there = stage == "no" or subject != 5
                row[f"{stage}_n"] = 5 if there else 0
                for name in ("max", "maxbest", "mean", "meanbest"):
                    row[f"{stage}_{name}"] = round(generator.random(), 4) if there else np.nan
            rows.append(row)
    return pandas.DataFrame([*rows, {**rows[0], "bs": 10}])


def test_one_row_is_chosen_for_each_scale_and_subject():
    runs = at_final_settings(made_up_runs())
    assert len(runs) == 12
    assert (runs["bs"] != 10).all()
    with pytest.raises(ValueError, match=r"one row of MIST_ROI for subject 3 .* got 0"):
        at_final_settings(made_up_runs().query("not (scale == 'MIST_ROI' and sub == 3)"))


def test_gains_over_subjects_are_those_of_scipy():
    runs = at_final_settings(made_up_runs())
    both = pairs(runs, STG_BEST, "best")
    assert len(both) == 5  # sub-05 has no fine-tuned runs
    (row,) = (row for row in paired(runs, "best") if row["measure"] == STG_BEST.name)
    assert row["p (Wilcoxon)"] == pytest.approx(wilcoxon(both[:, 0], both[:, 1]).pvalue)
    assert row["mean gain"] == pytest.approx(np.mean(both[:, 0] - both[:, 1]))
    by_depth = {row["fine-tuned from"]: row[STG_BEST.name] for row in depths(runs)}
    means = [
        cell(runs, STG_BEST, subject, "conv6").mean - cell(runs, STG_BEST, subject, "no").mean
        for subject in (1, 2, 3, 4, 6)
    ]
    assert by_depth["conv6"] == pytest.approx(np.mean(means))


def test_what_was_not_logged_is_shown_as_such():
    rows = gains(at_final_settings(made_up_runs()), "mean")
    assert len(rows) == 24
    fifth = [row for row in rows if row["subject"] == "sub-05"]
    assert {row["conv4 redone"] for row in fifth} == {"not logged"}
    assert {row["gain redone"] + row["difference"] for row in fifth} == {""}


def test_every_measure_has_six_subjects_of_whom_the_fifth_has_no_gain():
    for subjects in PUBLISHED.values():
        assert list(subjects) == [1, 2, 3, 4, 5, 6]
        assert [n for n, (_, conv4) in subjects.items() if conv4.mean is None] == [5]


def test_a_table_without_the_columns_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="is missing; the folder of the data"):
        read_runs(tmp_path / TABLE)
    made_up_runs().drop(columns=["conv4_max"]).to_csv(tmp_path / TABLE)
    with pytest.raises(ValueError, match="has no columns conv4_max"):
        read_runs(tmp_path / TABLE)


@pytest.mark.realdata
def test_every_listed_figure_is_reproduced(data_folder: Path):
    runs = at_final_settings(read_runs(data_folder / "hear_results" / TABLE))
    listed = list(figures(runs))
    assert len(listed) == 80
    for each in listed:
        assert is_reproduced(each["published"], each["redone"]), each


# Freteault et al. 2025: twelve tasks are better, two worse.
BETTER = {
    *("Beijing Opera", "CREMA-D", "ESC-50", "FSD50K", "GTZAN Genre", "GTZAN Music/Speech"),
    *("Gunshot", "Libricount", "NSynth Pitch 50h", "NSynth Pitch 5h"),
    *("Speech commands 5h", "Speech commands full"),
}
WORSE = {"DCASE 2016", "VoxLingua107 top 10"}


def test_p_is_that_of_scipy_and_missing_pairs_are_left_out() -> None:
    differences = np.random.default_rng(0).normal(0.1, 0.2, 24)
    p = wilcoxon(differences).pvalue
    assert wilcoxon_p(np.append(differences, np.nan)) == pytest.approx(p)


def test_a_missing_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"metrics\.csv is missing; the folder of the data"):
        read_models(tmp_path)
    (tmp_path / "metrics.csv").write_text("model,score\na,1\n")
    with pytest.raises(ValueError, match="has no columns atlas, finetune, subject"):
        read_models(tmp_path)


@pytest.fixture(scope="module")
def published(data_folder: Path):
    folder = data_folder / "hear_results"
    return read_models(folder), read_leaderboard(folder / "leaderboard.csv")


@pytest.mark.realdata
def test_twelve_of_nineteen_tasks_are_better(published) -> None:
    tests = against_the_median(published[0])
    assert {task for task, (median, p) in tests.items() if p < 0.05 and median > 0} == BETTER
    assert {task for task, (median, p) in tests.items() if p < 0.05 and median < 0} == WORSE


@pytest.mark.realdata
def test_half_a_place_is_the_baseline_itself(published) -> None:
    """Where both are ranked, to pass the baseline is one place more."""
    gains, alone = (rank_gains(*published, together=each) for each in (True, False))
    means = {kind: (np.nanmean(gains[kind]), np.nanmean(alone[kind])) for kind in gains}
    assert means[INDIVIDUAL] == pytest.approx((1.95, 1.46), abs=0.005)
    assert means[GROUP] == pytest.approx((2.11, 1.59), abs=0.005)


@pytest.mark.slow
@pytest.mark.realdata
def test_matched_pairs_are_better_on_ten_tasks_and_worse_on_none(published) -> None:
    models, _ = published
    gains = {task: matched_gains(models, INDIVIDUAL, task) for task in TASKS}
    n_pairs = {task: len(own) for task, own in gains.items()}
    assert {task for task, n in n_pairs.items() if n != 12} == {
        "Mridangam Tonic",
        "Vocal Imitation",
    }
    assert n_pairs["Mridangam Tonic"] == n_pairs["Vocal Imitation"] == 6
    clear = [task for task, own in gains.items() if wilcoxon_p(own) < 0.05]
    assert len(clear) == 10
    assert all(gains[task].mean() > 0 for task in clear)


@pytest.mark.realdata
def test_means_over_the_tasks(published) -> None:
    """Listed with the scores, with four decimals, those of the leaderboard with three."""
    means = means_over_tasks(*published)
    for name, listed in {
        "baseline": 0.4497,
        "conv7": 0.4533,
        "conv6": 0.4551,
        "conv5": 0.4593,
        "conv4, individual": 0.4617,
        "conv4, group, atlas by atlas": 0.4628,
    }.items():
        assert round(means[name], 4) == listed
    assert round(means["leaderboard, median"], 3) == 0.604
    assert round(means["leaderboard, best"], 3) == 0.832


@pytest.mark.realdata
def test_the_table_task_by_task_is_that_of_another_program(
    published,
    data_folder: Path,
):
    """summary.csv was computed from the same scores, with four decimals."""
    summary = pandas.read_csv(data_folder / "hear_results" / "summary.csv").set_index("task")
    columns = {
        "baseline median": "soundnet_baseline_median",
        "baseline min": "soundnet_baseline_min",
        "baseline max": "soundnet_baseline_max",
        "individual, whole brain": "conv4_WB_ind_median",
        "individual, STG": "conv4_STG_ind_median",
        "group, whole brain": "group_WB_median",
        "group, STG": "group_STG_median",
        "best aligned model": "soundnet_conv4_best",
        "leaderboard median": "leaderboard_median",
        "leaderboard best": "leaderboard_best",
        "rank of baseline": "rank_baseline_in_lb",
        "rank of individual": "rank_conv4_ind_median_in_lb",
        "leaderboard models": "leaderboard_n",
        "matched gain": "paired_mean_gain_conv4_ind",
        "p of matched gain": "paired_wilcoxon_p",
    }
    for task in TASKS:
        own = task_figures(*published, task)
        for column, theirs in columns.items():
            assert own[column] == pytest.approx(summary[theirs][task], abs=5.1e-5), (task, column)
        n_baselines = np.isfinite(of_kind(published[0], BASELINE, task)).sum()
        assert n_baselines == summary["n_baseline"][task]


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "run"), [("encoding", run_encoding), ("hear", run_hear)])
def test_the_committed_results_reproduce_every_figure(
    name: str, run: Callable[[Path], dict[str, Any]], data_folder: Path, tmp_path: Path
):
    document = run(data_folder)
    if name == "hear":
        assert {row["agrees"] for row in document["rows"]} == {"yes"}
    else:
        assert any(note.startswith("80 of 80 listed") for note in document["notes"])
    write_result(tmp_path, name, {**document, "command": ""})
    found, committed = read_result(tmp_path, name), read_result(RESULTS, name)
    assert found is not None
    assert committed is not None
    for key in ("rows", "tables", "notes", "details"):
        assert found[key] == committed[key]
