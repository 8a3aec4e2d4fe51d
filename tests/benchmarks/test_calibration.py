"""The claims of benchmarks/calibration/results.md at small size."""

from typing import Any

import numpy as np
import pytest

from benchmarks.calibration.estimates import ceilings_document, intervals_document
from benchmarks.calibration.p_values import calibration, discoveries_document, nulls_document
from benchmarks.calibration.power import _experiment, pairs_needed
from benchmarks.calibration.simulated_bold import Setting, draw_experiment, without_drift
from benchmarks.calibration.sizes import SIZES
from training.simulation.signals import slow_cosines

SMALL = SIZES["small"]
RIGHT = ("circular_shift", "phase_randomised", "block_permutation")  # where BOLD has no drift

Rows = list[dict[str, Any]]


def named(rows: Rows, **cells: str) -> Rows:
    return [row for row in rows if all(row[key] == value for key, value in cells.items())]


@pytest.mark.slow
def test_p_values_are_uniform_without_a_relation_and_not_when_time_points_are_shuffled():
    rows = nulls_document(SMALL)["rows"]
    assert len(rows) == 5 * SMALL.n_settings
    for row in rows:
        if row["null"] in RIGHT:
            assert abs(row["p ≤ .05"] - 0.05) < 3 * row["±"] + 0.005  # blocks: not exactly right
            assert row["KS"] < 0.05
    for row in named(rows, null="shuffle"):
        assert row["p ≤ .05"] > 0.1
        assert row["p ≤ .01"] > 0.03


@pytest.mark.slow
def test_false_discoveries_keep_their_level_but_not_when_time_points_are_shuffled():
    rows = discoveries_document(SMALL)["rows"]
    for null in RIGHT:
        for correction in ("bh", "by"):
            for row in named(rows, null=null, correction=correction):
                assert row["false discoveries"] <= 0.05 + 3 * row["± false"]
        for row in named(rows, null=null, correction="fwe"):
            assert row["any false"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / row["experiments"])
    responding = named(rows, data="a fifth responds")
    for null in RIGHT:
        assert named(responding, null=null, correction="bh")[0]["power"] > 0.8
    assert named(responding, null="shuffle", correction="bh")[0]["false discoveries"] > 0.12
    nothing = named(rows, data="nothing responds", null="shuffle", correction="fwe")
    assert nothing[0]["any false"] > 0.3


@pytest.mark.slow
def test_ceilings_are_within_five_percent():
    for row in ceilings_document(SMALL)["rows"]:
        error = row["one target, ±"] / np.sqrt(SMALL.ceiling_targets)
        assert abs(row["off by"]) < 0.05 + 3 * error
        if row["true ceiling of r"] > 0.5 or row["repeats"] > 2:
            assert abs(row["off by"]) < 0.05
            assert abs(row["of the mean: off by"]) < 0.05


@pytest.mark.slow
def test_intervals_hold_the_truth_in_93_to_97_of_100():
    for row in intervals_document(SMALL)["rows"]:
        if row["method"] == "bootstrap_t" and not row["scores"].startswith("heavy"):
            assert 0.93 - 2.5 * row["±"] < row["coverage"] < 0.97 + 2.5 * row["±"]
        if row["runs"] <= 8:
            assert row["percentile bootstrap"] < row["coverage"] - 0.03


def test_uniform_p_values_look_uniform():
    grid = np.tile((np.arange(200) + 0.5) / 200, (10, 1))
    cells = calibration(grid)
    assert (cells["p ≤ .05"], cells["±"], cells["p ≤ .01"]) == (0.05, 0, 0.01)
    assert cells["KS"] < 0.003
    assert calibration(grid**2)["p ≤ .05"] > 0.2


def test_simulated_experiments_are_as_they_are_said_to_be():
    setting = Setting("one", n_runs=2, n_trs=2000, n_targets=5, n_responding=2, effect=0.5)
    runs = draw_experiment(setting, seed=0)
    assert [run[0].shape for run in runs] == [(2000, 5)] * 2
    measured, predicted = runs[0]
    r = [np.corrcoef(measured[:, i], predicted[:, i])[0, 1] for i in range(5)]
    np.testing.assert_allclose(r[:2], 0.5 / np.sqrt(1.25), atol=0.1)
    np.testing.assert_allclose(r[2:], 0, atol=0.15)
    next_tr = np.corrcoef(measured[1:, 4], measured[:-1, 4])[0, 1]
    assert 0.25 < next_tr < 0.65
    again, other = draw_experiment(setting, seed=0), draw_experiment(setting, seed=1)
    np.testing.assert_array_equal(again[0][0], measured)
    assert not np.allclose(other[0][0], measured)


def test_drift_is_there_and_is_removed():
    setting = Setting("drift", n_runs=1, n_targets=4, drift=0.6)
    measured = draw_experiment(setting, seed=0)[0][0]
    slow = slow_cosines(len(measured), 1.49)
    explained = np.square(slow.T @ measured).sum(axis=0) / np.square(measured).sum(axis=0)
    assert (explained > 0.5).all()
    np.testing.assert_allclose(slow.T @ without_drift(measured), 0, atol=1e-9)


def test_power_grows_with_the_gain_and_without_one_the_level_is_kept():
    shares = [_experiment(gain, 0.4, 24, 60, seed=0) for gain in (0.0, 0.01, 0.04)]
    none, small, large = (share[0] for share in shares)
    assert none < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert none < small < large
    assert [share[2] for share in shares] == pytest.approx([0, 0.01, 0.04], abs=0.006)


def test_pairs_needed_are_those_of_simulated_t_tests():
    from scipy.stats import ttest_1samp

    n = pairs_needed(0.01, 0.01)
    generator = np.random.default_rng(0)
    pairs = generator.normal(0.01, 0.01 * np.sqrt(2), (4000, n))
    assert np.mean(ttest_1samp(pairs, 0, axis=1).pvalue <= 0.05) == pytest.approx(0.8, abs=0.03)
    fewer = pairs[:, : n - 2]
    assert np.mean(ttest_1samp(fewer, 0, axis=1).pvalue <= 0.05) < 0.8
