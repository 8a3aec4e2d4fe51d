import itertools

import numpy as np
import pytest
import scipy.stats

from training.statistics import bootstrap_interval, compare_runs, smallest_wilcoxon_p


@pytest.mark.parametrize("n_runs", [5, 12, 48, 60])
def test_agrees_with_scipy_target_by_target(n_runs):
    a, b = np.random.default_rng(n_runs).standard_normal((2, n_runs, 8))
    a += np.linspace(0, 1, 8)
    if n_runs != 12:  # scipy goes through all signs, slowly
        a[:2, 1] = b[:2, 1] + 0.5  # ties
    result = compare_runs(a, b)
    for i in range(8):
        expected = scipy.stats.wilcoxon(a[:, i], b[:, i])
        np.testing.assert_allclose(result.p[i], expected.pvalue)
        np.testing.assert_allclose(result.statistic[i], expected.statistic)
    np.testing.assert_allclose(result.difference, (a - b).mean(axis=0))
    np.testing.assert_array_equal(result.low, bootstrap_interval(a - b).low)
    np.testing.assert_array_equal(result.high, bootstrap_interval(a - b).high)


def test_runs_without_a_difference_are_left_out_of_the_test():
    differences = np.random.default_rng(0).standard_normal((20, 1))
    with_zeros = np.concatenate([differences, np.zeros((3, 1))])
    result = compare_runs(with_zeros, np.zeros((23, 1)))
    assert result.p[0] == scipy.stats.wilcoxon(differences[:, 0]).pvalue
    np.testing.assert_allclose(result.difference, with_zeros.mean())


def test_exact_p_by_all_signs():
    """Six pairs: every one of 2^6 sign patterns by brute force."""
    differences = np.array([0.3, -0.1, 0.5, 0.7, 0.2, -0.4])
    ranks = scipy.stats.rankdata(abs(differences))
    sums = [np.dot(signs, ranks) for signs in itertools.product((-1, 1), repeat=6)]
    own = np.dot(np.sign(differences), ranks)
    result = compare_runs(differences[:, None], np.zeros((6, 1)))
    assert result.p[0] == np.mean(np.abs(sums) >= abs(own))
    np.testing.assert_allclose(result.effect_size, own / ranks.sum())


def test_all_runs_better_reach_the_smallest_p():
    b = np.random.default_rng(0).standard_normal((10, 1))
    result = compare_runs(b + np.linspace(0.1, 0.2, 10)[:, None], b)
    assert result.p[0] == smallest_wilcoxon_p(10) == 2 / 2**10
    assert result.effect_size[0] == 1


def test_equal_models_do_not_differ():
    scores = np.random.default_rng(0).standard_normal((10, 2))
    result = compare_runs(scores, scores)
    assert result.p.tolist() == [1, 1]
    assert result.effect_size.tolist() == [0, 0]
    assert result.statistic.tolist() == [0, 0]


def test_pairs_with_a_missing_run_are_left_out():
    a, b = np.random.default_rng(0).standard_normal((2, 10, 3))
    expected = compare_runs(a[1:], b[1:])
    a[0, 0] = np.nan
    b[1:, 1] = np.nan
    result = compare_runs(a, b)
    assert result.p[0] == expected.p[0]
    assert np.isnan([result.p[1], result.effect_size[1], result.low[1]]).all()
    assert result.n_runs.tolist() == [9, 1, 10]


def test_one_run_is_no_comparison():
    with pytest.raises(ValueError, match="at least 2 runs, got 1"):
        compare_runs(np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(4, 2\)"):
        compare_runs(np.zeros((3, 2)), np.zeros((4, 2)))
