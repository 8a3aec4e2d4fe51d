"""Places among published models, against scipy and by hand; what is missing stays missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from benchmarks.hear.leaderboard import (
    OFFICIAL_TASKS,
    missing_tasks,
    official_task,
    rank_among,
    rank_gain,
    read_leaderboard,
)


def test_ranks_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        published = generator.integers(0, 6, generator.integers(1, 12)) / 10
        score, baseline = generator.integers(0, 6, 2) / 10
        alone = [rankdata(-np.append(published, each))[-1] for each in (score, baseline)]
        assert rank_among(score, published.tolist()) == alone[0]
        assert rank_gain(score, baseline, published.tolist()) == alone[1] - alone[0]
        both = rankdata(-np.append(published, [score, baseline]))
        together = rank_gain(score, baseline, published.tolist(), together=True)
        assert together == both[-1] - both[-2]


def test_passing_the_baseline_alone_counts_only_where_both_are_ranked() -> None:
    assert rank_gain(0.41, 0.40, [0.9, 0.1]) == 0
    assert rank_gain(0.41, 0.40, [0.9, 0.1], together=True) == 1


def test_missing_scores_stay_missing(tmp_path: Path) -> None:
    table = tmp_path / "leaderboard.csv"
    table.write_text("Model,URL,ESC-50,Beehive\nA,x,0.5,\nB,y,0.7,nan\n")
    leaderboard = read_leaderboard(table)
    assert leaderboard.models == ("A", "B")
    assert leaderboard.of_task("ESC-50") == [0.5, 0.7]
    assert leaderboard.of_task("Beehive") == leaderboard.of_task("Gunshot") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Model,URL\nA,x\n", "expected Model and the names of HEAR's tasks"),
        ("Model,ESC-50\n", "has 0 rows"),
        ("Model,ESC-50\nA,good\n", "A, ESC-50: expected a number or nothing, got 'good'"),
    ],
)
def test_what_is_no_leaderboard_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "leaderboard.csv"
    with pytest.raises(FileNotFoundError, match=r"no leaderboard .*leaderboard\.csv"):
        read_leaderboard(table)
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_leaderboard(table)


def test_there_are_nineteen_tasks() -> None:
    assert len({task.folder for task in OFFICIAL_TASKS}) == 19
    sizes = [task.train_seconds for task in OFFICIAL_TASKS]
    assert sizes == sorted(sizes)
    assert official_task("beehive_states_fold1-v2-full") is None
    assert missing_tasks([task.folder for task in OFFICIAL_TASKS]) == []


@pytest.mark.realdata
def test_the_published_leaderboard_has_all_tasks_and_29_models(data_folder: Path) -> None:
    leaderboard = read_leaderboard(data_folder / "hear_results" / "leaderboard.csv")
    assert len(leaderboard.models) == 29
    assert list(leaderboard.scores) == [task.name for task in OFFICIAL_TASKS]
    assert len(leaderboard.of_task("Beehive")) == 11  # the others were not measured on it
