import numpy as np
import pytest
import scipy.stats

from training.statistics import bootstrap_interval


def test_bootstrap_t_by_hand():
    """One target, resample by resample."""
    values = np.random.default_rng(1).exponential(size=(10, 1))
    interval = bootstrap_interval(values, n_resamples=400, seed=5)
    counts = np.random.default_rng(5).multinomial(10, np.full(10, 0.1), 400)
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(10)
    t = []
    for row in counts:
        resample = np.repeat(values[:, 0], row)
        t.append((resample.mean() - mean) / (resample.std(ddof=1) / np.sqrt(10)))
    low, high = mean - np.quantile(t, [0.975, 0.025]) * error
    np.testing.assert_allclose([interval.low[0], interval.high[0]], [low, high])
    assert interval.estimate[0] == mean


def test_close_to_students_t_for_normal_runs():
    values = np.random.default_rng(0).standard_normal((48, 200))
    interval = bootstrap_interval(values)
    low, high = scipy.stats.t.interval(0.95, 47, values.mean(axis=0), scipy.stats.sem(values))
    width = (high - low).mean()
    assert abs((interval.low - low).mean()) < 0.02 * width
    assert abs((interval.high - high).mean()) < 0.02 * width


def test_few_runs_have_students_t_and_say_so():
    values = np.random.default_rng(0).standard_normal((5, 3))
    interval = bootstrap_interval(values, confidence=0.9)
    expected = scipy.stats.t.interval(0.9, 4, values.mean(axis=0), scipy.stats.sem(values))
    np.testing.assert_allclose([interval.low, interval.high], expected)
    assert set(interval.method) == {"student_t"}


def test_one_run_has_no_interval_and_says_so():
    values = np.full((3, 3), np.nan)
    values[0, 0], values[:2, 1] = 0.5, [0.4, 0.6]
    interval = bootstrap_interval(values)
    np.testing.assert_allclose(interval.estimate, [0.5, 0.5, np.nan])
    assert np.isnan([interval.low[[0, 2]], interval.high[[0, 2]]]).all()
    assert interval.method.tolist() == ["none", "student_t", "none"]
    assert interval.n_runs.tolist() == [1, 2, 0]


def test_missing_runs_of_one_target_do_not_touch_the_others():
    values = np.random.default_rng(0).standard_normal((20, 3))
    whole = bootstrap_interval(values)
    values[4, 1] = np.nan
    missing = bootstrap_interval(values)
    np.testing.assert_allclose(missing.low[[0, 2]], whole.low[[0, 2]])
    alone = bootstrap_interval(np.delete(values[:, 1:2], 4, axis=0))
    np.testing.assert_allclose(missing.high[1], alone.high[0])


def test_more_targets_at_once_change_nothing(monkeypatch):
    values = np.random.default_rng(0).standard_normal((20, 7))
    whole = bootstrap_interval(values)
    monkeypatch.setattr("training.statistics.intervals.VALUES_AT_ONCE", 4000)
    np.testing.assert_allclose(bootstrap_interval(values).low, whole.low)


def test_equal_runs_have_an_interval_of_no_width():
    values = np.stack([np.full(10, 0.3), np.r_[np.zeros(9), 1.0]], axis=1)
    interval = bootstrap_interval(values)
    np.testing.assert_allclose([interval.low[0], interval.high[0]], 0.3)
    assert interval.low[1] < 0.1 < interval.high[1]


def test_fisher_z_is_the_interval_of_arctanh_taken_back():
    r = np.random.default_rng(0).uniform(0.5, 0.95, (20, 2))
    interval, plain = bootstrap_interval(r, pooling="fisher_z"), bootstrap_interval(np.arctanh(r))
    np.testing.assert_allclose(interval.high, np.tanh(plain.high))
    np.testing.assert_allclose(interval.estimate, np.tanh(plain.estimate))


def test_seeds_decide():
    values = np.random.default_rng(0).standard_normal((20, 3))
    one, again, other = (bootstrap_interval(values, seed=seed).low for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_wrong_arguments_are_refused():
    values = np.zeros((10, 2))
    with pytest.raises(ValueError, match=r"\(n_runs, n_targets\), got \(10,\)"):
        bootstrap_interval(values[:, 0])
    with pytest.raises(ValueError, match="confidence within 0 and 1, got 95"):
        bootstrap_interval(values, confidence=95)
    with pytest.raises(ValueError, match="at least 400 resamples"):
        bootstrap_interval(values, n_resamples=100)
    with pytest.raises(ValueError, match="scored from their TRs"):
        bootstrap_interval(values, pooling="concatenated")
