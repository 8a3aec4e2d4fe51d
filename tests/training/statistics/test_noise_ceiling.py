import numpy as np
import pytest
import scipy.stats
from scipy.stats import pearsonr

from training.scores import pearson_r, r2_score
from training.statistics import (
    fraction_of_ceiling,
    inter_subject_correlation,
    repeats_ceiling,
    spearman_brown,
)


def repeated(rho, n_repeats, n_trs, n_targets=1, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Signal of variance rho, and runs of variance 1 with it."""
    generator = np.random.default_rng(seed)
    signal = np.sqrt(rho) * generator.standard_normal((n_trs, n_targets))
    noise = np.sqrt(1 - rho) * generator.standard_normal((n_repeats, n_trs, n_targets))
    return signal, signal + noise


@pytest.mark.parametrize("method", ["pairs", "split_half"])
@pytest.mark.parametrize("n_repeats", [2, 3, 5, 12])
def test_ceiling_is_what_the_true_signal_scores(method, n_repeats):
    signal, runs = repeated(0.3, n_repeats, 100_000)
    ceiling = repeats_ceiling(runs, method, n_splits=20)
    of_one = np.mean([pearson_r(run, signal) for run in runs])
    np.testing.assert_allclose(ceiling.ceiling_r, of_one, rtol=0.02)
    np.testing.assert_allclose(
        ceiling.reliability, np.mean([r2_score(run, signal) for run in runs]), rtol=0.03
    )
    mean = runs.mean(axis=0)
    np.testing.assert_allclose(ceiling.ceiling_r_of_mean, pearson_r(mean, signal), rtol=0.02)
    np.testing.assert_allclose(ceiling.reliability_of_mean, r2_score(mean, signal), rtol=0.02)


@pytest.mark.parametrize("method", ["pairs", "split_half"])
def test_two_repeats_agree_with_scipy(method):
    _, runs = repeated(0.4, 2, 50, n_targets=3)
    expected = [scipy.stats.pearsonr(runs[0, :, i], runs[1, :, i])[0] for i in range(3)]
    np.testing.assert_allclose(repeats_ceiling(runs, method).reliability, expected)


def test_split_half_of_four_repeats_by_hand():
    _, runs = repeated(0.4, 4, 50)
    halves = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    r = [
        np.corrcoef(*(runs[list(half), :, 0].mean(axis=0) for half in both))[0, 1]
        for both in halves
    ]
    ceiling = repeats_ceiling(runs, "split_half")
    np.testing.assert_allclose(spearman_brown(ceiling.reliability, 2)[0], np.mean(r))


def test_halvings_are_drawn_by_seed_where_they_are_many():
    _, runs = repeated(0.4, 12, 50)
    one, again, other = (
        repeats_ceiling(runs, "split_half", n_splits=5, seed=seed).reliability for seed in (0, 0, 1)
    )
    assert one == again != other


def test_longer_stimuli_and_more_pairs_count_more():
    (_, short), (_, long) = repeated(0.4, 2, 50), repeated(0.4, 3, 100, seed=1)
    pooled = repeats_ceiling([short, long])
    each = [repeats_ceiling(runs).reliability for runs in (short, long)]
    np.testing.assert_allclose(pooled.reliability, np.average(each, axis=0, weights=[50, 300]))
    assert pooled.n_repeats == 2


def test_missing_targets_do_not_spoil_the_others():
    _, runs = repeated(0.4, 3, 50, n_targets=3)
    expected = repeats_ceiling(runs).reliability
    without_last = repeats_ceiling(runs[:2]).reliability
    runs[:, :, 0] = np.nan
    runs[2, 5, 1] = np.nan
    ceiling = repeats_ceiling(runs)
    np.testing.assert_allclose(ceiling.reliability, [np.nan, without_last[1], expected[2]])


def test_nothing_that_repeats_has_a_ceiling_of_zero():
    time = np.linspace(0, 2 * np.pi, 50)
    ceiling = repeats_ceiling(np.stack([np.sin(time), -np.sin(time)])[:, :, None])
    np.testing.assert_allclose(ceiling.reliability, -1)
    assert ceiling.ceiling_r[0] == 0


def test_a_subject_without_repeats_is_refused_a_ceiling():
    _, runs = repeated(0.4, 2, 50)
    with pytest.raises(
        ValueError, match=r"at least two runs of the same stimulus.*got 1 of stim.*1"
    ):
        repeats_ceiling([runs, runs[:1]])
    with pytest.raises(ValueError, match="at least one stimulus"):
        repeats_ceiling([])
    with pytest.raises(ValueError, match=r"stimulus 0: expected \(n_repeats"):
        repeats_ceiling(runs[0])
    with pytest.raises(ValueError, match="'pairs' or 'split_half'"):
        repeats_ceiling(runs, "icc")


def test_no_fraction_of_a_ceiling_that_is_mostly_error():
    fraction = fraction_of_ceiling(np.array([0.1, 0.1, np.nan]), np.array([0.2, 0.09, 0.5]), 0.1)
    np.testing.assert_array_equal(fraction, [0.5, np.nan, np.nan])
    assert np.isnan(fraction_of_ceiling(np.array([0.1]), np.array([np.nan]), 0.1)).all()
    with pytest.raises(ValueError, match="floor above 0"):
        fraction_of_ceiling(np.ones(1), np.ones(1), 0)


def sharing(rho: float, n_subjects: int, n_trs: int, n_targets: int = 1) -> tuple:
    """A signal that explains `rho` of each subject's variance, and the subjects' responses."""
    generator = np.random.default_rng(0)
    signal = np.sqrt(rho) * generator.standard_normal((n_trs, n_targets))
    noise = np.sqrt(1 - rho) * generator.standard_normal((n_subjects, n_trs, n_targets))
    return signal, signal + noise


def test_each_subject_with_the_mean_of_the_others():
    _, subjects = sharing(0.4, 4, 60, n_targets=2)
    found = inter_subject_correlation(subjects)
    for i in range(4):
        others = np.delete(subjects, i, axis=0).mean(axis=0)
        expected = [pearsonr(subjects[i, :, k], others[:, k]).statistic for k in range(2)]
        np.testing.assert_allclose(found[i], expected)


def test_a_model_of_what_two_subjects_share_scores_above_their_correlation():
    """They correlate by .38, and the signal itself correlates with each by sqrt(.38) = .62."""
    signal, subjects = sharing(0.38, 2, 100_000)
    shared = inter_subject_correlation(subjects)
    perfect = [pearsonr(own[:, 0], signal[:, 0]).statistic for own in subjects]
    error = 4 / np.sqrt(100_000)  # four standard errors of a correlation
    np.testing.assert_allclose(shared, 0.38, atol=error)
    np.testing.assert_allclose(perfect, 0.62, atol=error)


def test_subjects_without_a_target_are_left_out_of_it():
    _, subjects = sharing(0.4, 4, 60, n_targets=2)
    expected = inter_subject_correlation(subjects[:3])
    subjects[3, 0, 1] = np.nan
    found = inter_subject_correlation(subjects)
    np.testing.assert_allclose(found[:3, 1], expected[:, 1])
    assert np.isnan(found[3, 1])
    with pytest.raises(ValueError, match=r"at least two subjects.*got \(1, 60, 2\)"):
        inter_subject_correlation(subjects[:1])
