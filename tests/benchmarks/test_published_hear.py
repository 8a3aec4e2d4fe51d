"""What Freteault et al. 2025 report of HEAR comes out of their tables again, figure by figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.stats import wilcoxon

from benchmarks.hear.leaderboard import read_leaderboard
from benchmarks.published.hear import (
    BASELINE,
    GROUP,
    INDIVIDUAL,
    TASKS,
    authors_figures,
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

# Freteault et al. 2025: twelve tasks are better, two worse.
BETTER = {
    "Beijing Opera",
    "CREMA-D",
    "ESC-50",
    "FSD50K",
    "GTZAN Genre",
    "GTZAN Music/Speech",
    "Gunshot",
    "Libricount",
    "NSynth Pitch 50h",
    "NSynth Pitch 5h",
    "Speech commands 5h",
    "Speech commands full",
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
    models, leaderboard = published
    tests = against_the_median(models)
    assert {task for task, (median, p) in tests.items() if p < 0.05 and median > 0} == BETTER
    assert {task for task, (median, p) in tests.items() if p < 0.05 and median < 0} == WORSE
    figures = authors_figures(models, leaderboard)
    assert [figures[f"tasks {verdict}"] for verdict in ("better", "worse", "neither")] == [12, 2, 5]


@pytest.mark.realdata
def test_about_two_places_are_gained(published) -> None:
    figures = authors_figures(*published)
    gained = {name.removeprefix("places gained, "): value for name, value in figures.items()}
    assert gained["individual"] == pytest.approx(1.95, abs=0.005)
    assert gained["group"] == pytest.approx(2.11, abs=0.005)
    assert gained["whole brain"] == pytest.approx(2.01, abs=0.005)
    assert gained["STG"] == pytest.approx(2.06, abs=0.005)
    assert gained["p, group against individual"] == pytest.approx(0.128, abs=0.0005)
    assert gained["STG, individual"] == pytest.approx(1.7, abs=0.05)
    assert gained["STG, group"] == pytest.approx(2.4, abs=0.05)
    assert figures["places gained on Gunshot, most"] == 18
    # Half a place of it is the baseline's own: passed, it is one place more.
    alone = rank_gains(*published, together=False)
    assert np.nanmean(alone[INDIVIDUAL]) == pytest.approx(1.46, abs=0.005)
    assert np.nanmean(alone[GROUP]) == pytest.approx(1.59, abs=0.005)


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
def test_every_published_figure_is_reproduced(data_folder: Path, tmp_path: Path) -> None:
    document = run_hear(data_folder)
    assert {row["agrees"] for row in document["rows"]} == {"yes"}
    write_result(tmp_path, "hear", {**document, "command": ""})
    results = Path(__file__).parents[2] / "benchmarks" / "published" / "results"
    found, committed = read_result(tmp_path, "hear"), read_result(results, "hear")
    assert found is not None
    assert committed is not None
    for key in ("rows", "tables", "notes", "details"):
        assert found[key] == committed[key]
