import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from training.statistics import (
    benjamini_hochberg,
    benjamini_yekutieli,
    check_permutations,
    family_wise,
    p_values,
    permutations_needed,
    smallest_p,
)

ADJUST = {"bh": benjamini_hochberg, "by": benjamini_yekutieli}


@pytest.mark.parametrize(("ours", "theirs"), [("bh", "fdr_bh"), ("by", "fdr_by")])
def test_adjusted_p_values_agree_with_statsmodels(ours, theirs):
    generator = np.random.default_rng(0)
    for n_tests in (1, 2, 40, 210):
        p = np.round(generator.beta(0.3, 1, n_tests), 3)  # with ties
        expected = multipletests(p, method=theirs)[1]
        np.testing.assert_allclose(ADJUST[ours](p), expected)
        with_missing = np.insert(p, 1, np.nan)
        np.testing.assert_allclose(ADJUST[ours](with_missing), np.insert(expected, 1, np.nan))


def test_nothing_to_adjust():
    for adjust in ADJUST.values():
        assert np.isnan(adjust(np.full(3, np.nan))).all()
        assert adjust(np.zeros(0)).shape == (0,)
        with pytest.raises(ValueError, match=r"within 0 to 1, got 0\.1 to 1\.2"):
            adjust(np.array([0.1, 1.2, np.nan]))


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return np.array([0.5, 2.0, np.nan, 3.0]), generator.standard_normal((99, 4))


def test_p_counts_surrogates_that_are_as_good(scores):
    observed, null = scores
    expected = [(1 + sum(null[:, i] >= observed[i])) / 100 for i in (0, 1, 3)]
    np.testing.assert_array_equal(p_values(observed, null)[[0, 1, 3]], expected)
    assert np.isnan(p_values(observed, null)[2])


def test_family_wise_p_counts_the_largest_over_targets(scores):
    observed, null = scores
    largest = null[:, [0, 1, 3]].max(axis=1)
    expected = [(1 + sum(largest >= observed[i])) / 100 for i in (0, 1, 3)]
    np.testing.assert_array_equal(family_wise(observed, null)[[0, 1, 3]], expected)
    assert np.isnan(family_wise(observed, null)[2])
    assert np.isnan(family_wise(np.full(4, np.nan), null)).all()


def test_ties_up_to_rounding_count_against_the_prediction():
    observed = np.array([0.1 + 0.2])
    assert p_values(observed, np.full((9, 1), 0.3))[0] == 1


def test_scores_that_do_not_fit_are_refused(scores):
    observed, null = scores
    for function in (p_values, family_wise):
        with pytest.raises(ValueError, match=r"targets of the observed ones \(4,\), got \(99, 3\)"):
            function(observed, null[:, :3])
        with pytest.raises(ValueError, match="at least one row"):
            function(observed, null[:0])


@pytest.mark.parametrize("correction", ["bh", "by"])
@pytest.mark.parametrize("n_tests", [1, 7, 210])
def test_needed_permutations_are_just_enough_for_one_target(correction, n_tests):
    needed = permutations_needed(0.05, n_tests, correction)
    p = np.ones(n_tests)
    p[0] = smallest_p(needed)
    assert ADJUST[correction](p)[0] <= 0.05 + 1e-12
    p[0] = smallest_p(needed - 1)
    assert ADJUST[correction](p)[0] > 0.05


@pytest.mark.parametrize("correction", ["bh", "by"])
def test_too_few_permutations_are_told_with_how_many_targets_it_takes(correction):
    sentence = check_permutations(1000, 0.05, 210, correction)
    needed = permutations_needed(0.05, 210, correction)
    assert f"{needed} permutations would let a single one be" in sentence
    together = int(sentence.split(" at least")[0].split()[-1])
    p = np.ones(210)
    p[:together] = smallest_p(1000)
    assert ADJUST[correction](p)[0] <= 0.05
    p[together - 1] = 1
    assert ADJUST[correction](p)[0] > 0.05
    assert check_permutations(needed, 0.05, 210, correction) == ""


def test_permutations_that_can_show_nothing_are_refused():
    with pytest.raises(ValueError, match=r"99 permutations .* ever be significant.*at least 24892"):
        check_permutations(99, 0.05, 210, "by")
    with pytest.raises(ValueError, match="make at least 19 permutations"):
        check_permutations(18, 0.05, 210, "fwe")
    assert check_permutations(19, 0.05, 210, "fwe") == ""
    with pytest.raises(ValueError, match="expected a correction of 'bh'"):
        check_permutations(19, 0.05, 210, "bonferroni")
