import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from training.evaluation.pseudo_values import (
    interval_over_units,
    pseudo_values,
    rows_as_units,
)


@pytest.mark.parametrize("score", ["r", "r2"])
def test_pseudo_values_leave_each_run_out_in_turn(score: str):
    generator = np.random.default_rng(0)
    runs = [tuple(generator.standard_normal((2, n, 2)) + 0.3) for n in (9, 12, 7)]

    def whole(some):
        y, p = (np.concatenate(tables)[:, 1] for tables in zip(*some, strict=True))
        return np.arctanh(pearsonr(y, p).statistic) if score == "r" else r2_score(y, p)

    expected = [
        3 * whole(runs) - 2 * whole([run for run in runs if run is not one]) for one in runs
    ]
    assert pseudo_values(runs, score)[:, 1] == pytest.approx(expected)


def test_runs_that_lack_a_target_have_no_pseudo_value():
    generator = np.random.default_rng(1)
    runs = [tuple(generator.standard_normal((2, 20, 2))) for _ in range(4)]
    runs[2][0][:, 0] = np.nan
    values = pseudo_values(runs, "r")
    assert np.isnan(values).tolist() == [[False, False], [False, False], [True, False], [False] * 2]
    without = pseudo_values([runs[0], runs[1], runs[3]], "r")
    assert values[[0, 1, 3], 0] == pytest.approx(without[:, 0])
    assert np.isnan(pseudo_values(runs[:1], "r")).all()


@pytest.mark.parametrize(("score", "truth"), [("r", np.sqrt(0.5)), ("r2", 0.5)])
def test_intervals_over_sounds_hold_the_truth_as_often_as_they_say(score: str, truth: float):
    """2000 tables of 82 sounds: 95 % give or take 4 standard errors of 0.5 %."""
    generator = np.random.default_rng(2)
    signal, noise = generator.standard_normal((2, 82, 2000))
    bounds = interval_over_units(rows_as_units(signal + noise, signal), score, 0.95, seed=0)
    covered = np.mean((bounds.low < truth) & (truth < bounds.high))
    assert 0.93 < covered < 0.97
