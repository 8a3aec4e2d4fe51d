"""Ridge regression against scikit-learn per voxel, and against exact arithmetic."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from benchmarks.correspondence.ridge import ALPHAS, compact_units, fit_ridge
from benchmarks.correspondence.speed import measure_speed, refit_error
from benchmarks.correspondence.splits import Split, random_splits

SPLIT = random_splits(165)[3]


def units_and_voxels(n_units, n_voxels=40, seed=0, largest=1):
    """Units of sizes from ``10**-largest`` to ``10**largest``, voxels that they explain half of."""
    generator = np.random.default_rng(seed)
    sizes = np.logspace(-largest, largest, n_units)
    units = np.abs(generator.standard_normal((165, n_units))) * sizes + 5
    signal = (units / units.std(axis=0)) @ generator.standard_normal((n_units, n_voxels))
    voxels = signal / signal.std(axis=0) + generator.standard_normal((165, n_voxels))
    return units, (voxels - voxels.mean(axis=0)) / voxels.std(axis=0) + 3


def by_scikit_learn(units, voxels, alphas=ALPHAS):
    chosen, predicted, errors = [], [], []
    for voxel in voxels.T:
        model = RidgeCV(alphas, store_cv_results=True).fit(units[SPLIT.train], voxel[SPLIT.train])
        chosen.append(model.alpha_)
        predicted.append(model.predict(units[SPLIT.test]))
        errors.append(model.cv_results_.mean(axis=0))
    return np.array(chosen), np.stack(predicted, axis=1), np.array(errors)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("n_units", [30, 120, 400])
@pytest.mark.parametrize("largest", [1, 2])
def test_every_voxel_gets_the_penalty_and_the_predictions_of_scikit_learn(n_units, largest):
    units, voxels = units_and_voxels(n_units, largest=largest)
    fit = fit_ridge(compact_units(units), voxels, SPLIT)
    chosen, predicted, errors = by_scikit_learn(units, voxels)
    own = np.array([ALPHAS.tolist().index(alpha) for alpha in fit.alphas])
    # Where the choice differs, scikit-learn itself finds both penalties equal to the last digits,
    # or refitting without each sound finds that its choice was rounding.
    tied = np.isclose(errors[np.arange(len(own)), own], errors.min(axis=1), rtol=1e-11, atol=0)
    agree = (chosen == fit.alphas) | tied
    for voxel in np.flatnonzero(~agree):
        train = units[SPLIT.train], voxels[SPLIT.train, voxel]
        assert refit_error(*train, fit.alphas[voxel]) <= refit_error(*train, chosen[voxel])
    assert np.mean(chosen == fit.alphas) > 0.5
    assert np.mean(agree) > 0.9
    together = (fit.predicted + fit.train_means)[:, agree]
    np.testing.assert_allclose(together, predicted[:, agree], rtol=0, atol=1e-8)


def test_penalties_between_the_eigenvalues_are_chosen_alike_in_every_voxel():
    units, voxels = units_and_voxels(200, n_voxels=60)
    alphas = 10.0 ** np.arange(6, -3, -1)
    fit = fit_ridge(compact_units(units), voxels, SPLIT, alphas)
    chosen, predicted, _ = by_scikit_learn(units, voxels, alphas)
    np.testing.assert_array_equal(fit.alphas, chosen)
    np.testing.assert_allclose(fit.predicted + fit.train_means, predicted, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", ["silent", "doubled", "single"])
def test_units_that_add_nothing_change_nothing(kind):
    units, voxels = units_and_voxels(40)
    more = {
        "silent": np.concatenate([units, np.full((165, 300), 7.0)], axis=1),
        "doubled": np.concatenate([units, units], axis=1) / np.sqrt(2),
        "single": units,
    }[kind]
    expected = fit_ridge(compact_units(units), voxels, SPLIT)
    fit = fit_ridge(compact_units(more), voxels, SPLIT)
    np.testing.assert_array_equal(fit.alphas, expected.alphas)
    np.testing.assert_allclose(fit.predicted, expected.predicted, atol=1e-7)


def exact_errors(units, responses, alphas):
    """Mean squared leave-one-out errors by refitting, in 80 digits."""
    from mpmath import lu_solve, matrix, mp

    mp.dps = 80
    n = len(units)
    errors = []
    for alpha in alphas:
        total = mp.mpf(0)
        for out in range(n):
            rest = [i for i in range(n) if i != out]
            x = matrix(units[rest].tolist())
            y = matrix(responses[rest].tolist())
            x_mean = [sum(x[i, j] for i in range(n - 1)) / (n - 1) for j in range(x.cols)]
            y_mean = sum(y) / (n - 1)
            for i in range(n - 1):
                y[i] -= y_mean
                for j in range(x.cols):
                    x[i, j] -= x_mean[j]
            kernel = x * x.T
            for i in range(n - 1):
                kernel[i, i] += mp.mpf(10) ** round(float(np.log10(alpha)))
            weights = x.T * lu_solve(kernel, y)
            sound = [mp.mpf(v) - m for v, m in zip(units[out].tolist(), x_mean, strict=True)]
            predicted = y_mean + sum(a * b for a, b in zip(sound, weights, strict=True))
            total += (mp.mpf(float(responses[out])) - predicted) ** 2
        errors.append(total / n)
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("n_units", [4, 12])
def test_choice_is_that_of_refitting_without_each_sound_in_exact_arithmetic(n_units):
    generator = np.random.default_rng(n_units)
    units = generator.standard_normal((8, n_units)).round(3)
    voxels = (units @ generator.standard_normal((n_units, 3))).round(3)
    voxels[:, 1] += generator.standard_normal(8).round(3)
    voxels[:, 2] = generator.standard_normal(8).round(3)
    split = Split(np.arange(8), np.arange(8))
    alphas = np.array([1e49, 1e10, 1e3, 1e2, 10, 1, 0.1, 1e-2, 1e-3, 1e-12, 1e-20, 1e-50])
    fit = fit_ridge(compact_units(units), voxels, split, alphas)
    for voxel, chosen in zip(voxels.T, fit.alphas, strict=True):
        errors = exact_errors(units, voxel, alphas)
        assert errors[alphas.tolist().index(chosen)] <= min(errors) * (1 + 1e-9)


def test_all_voxels_at_once_are_all_voxels_one_by_one():
    units, voxels = units_and_voxels(150, n_voxels=5)
    compact = compact_units(units)
    together = fit_ridge(compact, voxels, SPLIT)
    alone = [fit_ridge(compact, voxels[:, [i]], SPLIT) for i in range(5)]
    np.testing.assert_allclose(
        together.predicted, np.concatenate([each.predicted for each in alone], axis=1), atol=1e-10
    )


def test_a_model_without_variation_predicts_the_mean():
    fit = fit_ridge(compact_units(np.ones((165, 7))), units_and_voxels(3)[1], SPLIT)
    assert not fit.predicted.any()


def test_unlike_numbers_of_sounds_and_missing_responses_are_refused():
    compact = compact_units(np.eye(8))
    with pytest.raises(ValueError, match="features of 8 sounds, responses to 7"):
        fit_ridge(compact, np.ones((7, 1)), SPLIT)
    with pytest.raises(ValueError, match="responses contain NaN or infinity; leave such targets"):
        fit_ridge(compact, np.full((8, 1), np.nan), SPLIT)
    with pytest.raises(ValueError, match="penalties must be positive, got 0"):
        fit_ridge(compact, np.ones((8, 1)), SPLIT, np.array([1.0, 0.0]))


@pytest.mark.slow
def test_at_least_twenty_times_faster_than_one_fit_per_voxel():
    measured = measure_speed(200, 512)
    assert measured["times faster"] >= 20
    assert measured["largest difference at the same penalty"] < 1e-8
    assert measured["of these as good or better by refitting"] == measured["other prediction"]
    assert measured["same penalty"] > 100
