import tracemalloc

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from training.statistics import pool, pooled_scores


@pytest.fixture
def runs() -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    each = []
    for n_trs, level in ((40, 0.0), (60, 1.0), (51, -2.0)):
        measured = level + generator.standard_normal((n_trs, 4))
        each.append((measured, 0.5 * measured + generator.standard_normal((n_trs, 4))))
    return each


def test_mean_and_fisher_z_agree_with_scipy_run_by_run(runs):
    r = np.array([[scipy.stats.pearsonr(y[:, i], p[:, i])[0] for i in range(4)] for y, p in runs])
    np.testing.assert_allclose(pooled_scores(runs, "r", "mean"), r.mean(axis=0))
    fisher = np.tanh(np.arctanh(r).mean(axis=0))
    np.testing.assert_allclose(pooled_scores(runs, "r", "fisher_z"), fisher)
    np.testing.assert_allclose(pool(r, "fisher_z"), fisher)


def test_concatenated_scores_agree_with_scipy_and_scikit_learn(runs):
    measured, predicted = (np.concatenate(tables) for tables in zip(*runs, strict=True))
    r = [scipy.stats.pearsonr(measured[:, i], predicted[:, i])[0] for i in range(4)]
    np.testing.assert_allclose(pooled_scores(runs, "r", "concatenated"), r)
    r2 = sklearn.metrics.r2_score(measured, predicted, multioutput="raw_values")
    np.testing.assert_allclose(pooled_scores(runs, "r2", "concatenated"), r2)


@pytest.mark.parametrize("pooling", ["mean", "fisher_z", "concatenated"])
def test_target_that_a_run_lacks_is_pooled_over_the_others(runs, pooling):
    runs[1][0][3, 2] = np.nan
    for measured, _ in runs:
        measured[:, 1] = np.nan
    pooled = pooled_scores(runs, "r", pooling)
    assert np.isnan(pooled[1])
    others = pooled_scores([runs[0], runs[2]], "r", pooling)
    np.testing.assert_allclose(pooled[2], others[2])
    all_runs = pooled_scores(runs, "r", pooling)
    np.testing.assert_allclose(pooled[[0, 3]], all_runs[[0, 3]])


def test_perfect_correlation_survives_fisher_z():
    np.testing.assert_allclose(pool(np.ones((3, 1)), "fisher_z"), 1)


def test_wrong_poolings_are_refused_in_words(runs):
    with pytest.raises(ValueError, match="R² may lie below -1"):
        pooled_scores(runs, "r2", "fisher_z")
    with pytest.raises(ValueError, match=r"within -1 to 1.*use pooling 'mean'"):
        pool(np.array([[-3.0]]), "fisher_z")
    with pytest.raises(ValueError, match="concatenated runs are scored from their TRs"):
        pool(np.zeros((2, 1)), "concatenated")
    with pytest.raises(ValueError, match="expected a pooling of"):
        pooled_scores(runs, "r", "median")
    with pytest.raises(ValueError, match="expected a score of"):
        pooled_scores(runs, "rho", "mean")
    with pytest.raises(ValueError, match=r"at least one run, got \(0, 3\)"):
        pool(np.zeros((0, 3)))


def test_runs_that_do_not_fit_together_are_refused(runs):
    with pytest.raises(ValueError, match="at least one run"):
        pooled_scores([], "r", "mean")
    with pytest.raises(ValueError, match=r"run 1: expected measured and predicted of shape"):
        pooled_scores([runs[0], (runs[1][0], runs[1][1][:-1])], "r", "mean")
    with pytest.raises(ValueError, match=r"run 1: .*targets of the first run"):
        pooled_scores([runs[0], (runs[1][0][:, :2], runs[1][1][:, :2])], "r", "mean")
    with pytest.raises(ValueError, match="run 0: expected at least 2 TRs"):
        pooled_scores([(np.zeros((1, 2)), np.zeros((1, 2)))], "r", "mean")


def test_concatenated_runs_are_centred_one_at_a_time():
    """All of them in float64 would take four times what the runs take themselves."""
    generator = np.random.default_rng(4)
    runs = [tuple(generator.standard_normal((2, 400, 500), np.float32)) for _ in range(12)]
    tracemalloc.start()
    pooled_scores(runs, "r", "concatenated")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < sum(measured.nbytes + predicted.nbytes for measured, predicted in runs)
