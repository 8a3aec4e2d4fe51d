"""Inter-subject correlation by hand, and that it is no ceiling."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from training.statistics import inter_subject_correlation


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
