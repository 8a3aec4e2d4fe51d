import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch

from training.scores import mean_squared_error, one_minus_correlation, pearson_r, r2_score


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    measured = generator.standard_normal((40, 5))
    return measured, 0.5 * measured + generator.standard_normal((40, 5))


def test_scores_agree_with_scipy_and_scikit_learn(pair):
    measured, predicted = pair
    expected_r = [scipy.stats.pearsonr(measured[:, i], predicted[:, i])[0] for i in range(5)]
    np.testing.assert_allclose(pearson_r(measured, predicted), expected_r, rtol=1e-12)
    expected = sklearn.metrics.r2_score(measured, predicted, multioutput="raw_values")
    np.testing.assert_allclose(r2_score(measured, predicted), expected, rtol=1e-12)


def test_r2_asks_for_the_right_scale_and_r_does_not(pair):
    measured, predicted = pair
    np.testing.assert_allclose(
        pearson_r(measured, 3 * predicted + 2), pearson_r(measured, predicted)
    )
    assert (r2_score(measured, 3 * predicted + 2) < r2_score(measured, predicted)).all()


def test_missing_and_constant_targets_have_no_score(pair):
    measured, predicted = pair
    measured[:, 1] = np.nan
    measured[:, 2] = 4.0
    predicted[:, 3] = 1.0
    assert np.isnan(pearson_r(measured, predicted)[[1, 2]]).all()
    assert np.isnan(r2_score(measured, predicted)[[1, 2]]).all()
    assert pearson_r(measured, predicted)[3] == 0


def test_losses_agree_with_torch_and_scipy(pair):
    measured, predicted = (torch.from_numpy(table) for table in pair)
    expected = torch.nn.functional.mse_loss(predicted, measured)
    torch.testing.assert_close(mean_squared_error(predicted, measured), expected)
    r = [scipy.stats.pearsonr(measured[:, i], predicted[:, i])[0] for i in range(5)]
    loss = one_minus_correlation(predicted.reshape(8, 5, 5), measured.reshape(8, 5, 5))
    np.testing.assert_allclose(float(loss), 1 - np.mean(r), rtol=1e-10)


@pytest.mark.parametrize("loss", [mean_squared_error, one_minus_correlation])
def test_missing_targets_do_not_count_and_give_no_gradient(pair, loss):
    measured, predicted = (torch.from_numpy(table) for table in pair)
    predicted.requires_grad_()
    without = loss(predicted[:, [0, 2, 3, 4]], measured[:, [0, 2, 3, 4]])
    measured[:, 1] = torch.nan
    value = loss(predicted, measured)
    torch.testing.assert_close(value, without)
    value.backward()
    assert predicted.grad is not None
    assert not predicted.grad[:, 1].any()
    assert predicted.grad.isfinite().all()
