"""Reliability and its correction against simulated scans whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.correspondence.regression import (
    floor_of_reliability,
    median_over_splits,
    noise_corrected,
    reliability_of_mean,
    score_stage,
    squared_correlation,
)
from benchmarks.correspondence.splits import random_splits


@pytest.mark.parametrize("n_sounds", [10, 82, 83, 200])
def test_the_floor_is_the_smallest_significant_correlation(n_sounds):
    floor = floor_of_reliability(n_sounds)

    def p(r):
        t = r * np.sqrt((n_sounds - 2) / (1 - r**2))
        return stats.t.sf(t, n_sounds - 2)

    assert p(floor - 0.001) > 0.05 > p(floor + 0.001)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_reliability_is_the_share_of_signal_in_the_variance_of_the_mean(noise):
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((20_000, 3))
    scans = signal + noise * generator.standard_normal((3, 20_000, 3))
    expected = 1 / (1 + noise**2 / 3)
    np.testing.assert_allclose(reliability_of_mean(scans), expected, atol=0.02)


def test_unreliable_and_constant_scans_count_as_the_floor():
    generator = np.random.default_rng(0)
    scans = np.zeros((3, 83, 3))
    scans[0, :, 0] = generator.standard_normal(83)
    scans[1:, :, 0] = -scans[0, :, 0]
    scans[:, :, 1] = 1.0
    scans[:2, :, 2] = scans[0, :, 0]
    np.testing.assert_allclose(reliability_of_mean(scans), [0.182, 0.182, 1.0])


def test_correction_brings_back_what_a_perfect_model_of_noisy_voxels_explains():
    generator = np.random.default_rng(1)
    units = generator.standard_normal((165, 5))
    signal = units @ generator.standard_normal((5, 200))
    noise = signal.std(axis=0) * generator.standard_normal((3, *signal.shape))
    scores = score_stage(units, signal + noise, random_splits(165))
    assert scores.corrected is not None
    assert np.median(np.median(scores.r2, axis=0)) < 0.8
    assert abs(np.median(median_over_splits(scores.corrected)) - 1) < 0.05


def test_quotient_of_correlation_and_reliabilities():
    generator = np.random.default_rng(2)
    train = generator.standard_normal((83, 1)) + 0.1 * generator.standard_normal((3, 83, 4))
    test = generator.standard_normal((82, 1)) + 0.3 * generator.standard_normal((3, 82, 4))
    expected = 0.3 / (reliability_of_mean(train) * reliability_of_mean(test))
    np.testing.assert_allclose(noise_corrected(np.full(4, 0.3), train, test), expected)


def test_negative_and_constant_predictions_explain_nothing():
    generator = np.random.default_rng(0)
    measured, other = generator.standard_normal((2, 82, 5))
    predicted = np.stack([other[:, 0], -measured[:, 1], other[:, 2], other[:, 3], other[:, 4]], 1)
    predicted[:, 2] = 0
    predicted[:, 3] *= 1e-20
    measured[:, 4] = 1
    found = squared_correlation(measured, predicted)
    r = stats.pearsonr(measured[:, 0], predicted[:, 0]).statistic
    np.testing.assert_allclose(found, [max(r, 0) ** 2, 0, 0, 0, 0])


def test_a_median_above_one_counts_as_one():
    scores = np.array([[0.2, 1.5], [0.4, 0.9], [0.3, 1.2]])
    np.testing.assert_allclose(median_over_splits(scores), [0.3, 1.0])


def test_other_numbers_of_scans_are_refused():
    with pytest.raises(ValueError, match=r"expected three scans \(3, n_sounds, n_targets\)"):
        reliability_of_mean(np.ones((2, 83, 4)))
    with pytest.raises(ValueError, match="expected responses \\(1 or 3 scans"):
        score_stage(np.eye(12), np.ones((2, 12, 4)), random_splits(12))
