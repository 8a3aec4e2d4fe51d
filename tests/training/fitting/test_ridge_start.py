from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from training.data.prepared import Run
from training.fitting.ridge import N_FOLDS, STRENGTHS, delayed, solve_read_out


def runs_with_data(n_trs: int, n_channels: int, n_targets: int):
    generator = np.random.default_rng(0)
    runs, features, responses = [], [], []
    for i in range(6):
        name = f"e{i // 2}{'ab'[i % 2]}"
        runs.append(Run("sub-01", name, name, "", name[:2], "", 0.0, 1.5, n_trs))
        x = generator.standard_normal((n_trs, n_channels)) * np.arange(1, n_channels + 1)
        y = x[:, :n_targets] / 3 + 2 * generator.standard_normal((n_trs, n_targets)) + 5
        features.append(x.astype(np.float32))
        responses.append(y.astype(np.float32))
    return runs, features, responses


@pytest.mark.parametrize(("n_trs", "n_channels"), [(40, 6), (10, 40)])
def test_read_out_is_the_ridge_that_scikit_learn_chooses(n_trs: int, n_channels: int):
    runs, features, responses = runs_with_data(n_trs, n_channels, n_targets=3)
    head = torch.nn.Conv1d(n_channels, 3, 2)
    solve_read_out(head, runs, features, responses)
    ours = [
        head(torch.nn.functional.pad(torch.from_numpy(x.T)[None], (1, 0)))[0].T.detach().numpy()
        for x in features
    ]
    x = np.concatenate([delayed(table, 2) for table in features]).astype(np.float64)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.maximum(deviation, np.sqrt(np.mean(deviation**2)))
    y = np.concatenate(responses)
    centred = y - y.mean(axis=0)
    groups = np.repeat([run.episode for run in runs], n_trs)
    for target in range(3):

        def score(strength: float, target: int = target) -> float:
            scores = []
            for train, test in GroupKFold(min(N_FOLDS, 3)).split(x, groups=groups):
                model = Ridge(alpha=strength * len(x), fit_intercept=False)
                model.fit(x[train], centred[train, target])
                error = model.predict(x[test]) - centred[test, target]
                scores.append(-np.mean(error**2))
            return float(np.mean(scores))

        best = max(STRENGTHS, key=score)
        model = Ridge(alpha=best * len(x), fit_intercept=False).fit(x, centred[:, target])
        expected = model.predict(x) + y[:, target].mean()
        np.testing.assert_allclose(np.concatenate(ours)[:, target], expected, atol=2e-3)


def test_missing_targets_are_predicted_as_zero():
    runs, features, responses = runs_with_data(20, 4, n_targets=3)
    for table in responses:
        table[:, 1] = np.nan
    head = torch.nn.Conv1d(4, 3, 2)
    solve_read_out(head, runs, features, responses)
    assert not head.weight[1].any()
    assert head.bias[1] == 0
    assert head.weight[0].any()


def test_silent_channels_get_no_weight():
    runs, features, responses = runs_with_data(20, 4, n_targets=2)
    for table in features:
        table[:, 3] = 0
    head = torch.nn.Conv1d(4, 2, 1)
    solve_read_out(head, runs, features, responses)
    assert not head.weight[:, 3].any()
    assert head.weight.isfinite().all()


def test_a_channel_that_fires_in_the_test_data_alone_spoils_nothing():
    runs, features, responses = runs_with_data(20, 4, n_targets=2)
    for table in features:
        table[:, 3] = 0
    features[0][3, 3] = 1e-3  # once, by a thousandth
    head = torch.nn.Conv1d(4, 2, 1)
    solve_read_out(head, runs, features, responses)
    heard = torch.zeros(1, 4, 1)
    heard[0, 3] = 5.0  # as strongly as the others
    silent = head(torch.zeros(1, 4, 1))
    assert (head(heard) - silent).abs().max() < 1


def test_delays_do_not_cross_runs():
    tables = [delayed(np.full((4, 1), value, np.float32), 3) for value in (1.0, 2.0)]
    assert (tables[1][0] == [0, 0, 2]).all()
    for before, after in pairwise(tables[1]):
        assert (after[:-1] == before[1:]).all()
