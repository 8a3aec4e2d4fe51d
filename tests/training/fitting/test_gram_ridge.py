import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from hear_brainsoundnet.encoder import ReadOut, new_head, output_layer
from training.data.prepared import Run
from training.fitting.gram_ridge import (
    Rows,
    Shape,
    Source,
    solve_in_blocks,
    solve_ridge,
    solver_of,
)
from training.fitting.ridge import N_FOLDS, STRENGTHS, delayed, folds_by_episode, solve_read_out

ALPHAS = np.logspace(-3, 5, 17)


def data(n_rows: int, n_features: int, n_targets: int, seed: int = 0):
    """Correlated features of very different strength, targets from clear to pure noise."""
    generator = np.random.default_rng(seed)
    latent = generator.standard_normal((n_rows, max(2, n_features // 2)))
    x = latent @ generator.standard_normal((latent.shape[1], n_features))
    x += 0.1 * generator.standard_normal(x.shape)
    x *= np.logspace(0, -2, n_features)
    x = (x - x.mean(axis=0)) / np.sqrt(np.mean(x.var(axis=0)))
    y = x @ generator.standard_normal((n_features, n_targets)) / np.sqrt(n_features)
    y += np.linspace(0.1, 10, n_targets) * generator.standard_normal(y.shape)
    return x, y - y.mean(axis=0)


def episodes_of(n_rows: int) -> list[str]:
    """Seven episodes of unequal length."""
    ends = np.linspace(0, n_rows, 8) ** 1.1
    return [f"e{np.searchsorted(ends / ends[-1], i / n_rows, 'right')}" for i in range(n_rows)]


def source_of(x: np.ndarray, y: np.ndarray, episodes: list[str]) -> tuple[Source, int]:
    folds = folds_by_episode(episodes)

    def source(targets: slice) -> Iterator[Rows]:
        for number, (_, rows) in enumerate(folds):
            for some in np.array_split(rows, 3):
                yield Rows(number, x[some], y[some][:, targets])

    return source, len(folds)


@pytest.mark.parametrize(
    ("n_rows", "n_features"),
    [(400, 20), (300, 90), (60, 90)],
    ids=["many rows", "folds with fewer rows than features", "fewer rows than features"],
)
def test_alphas_and_weights_are_those_of_himalaya(n_rows: int, n_features: int):
    x, y = data(n_rows, n_features, n_targets=23)
    episodes = episodes_of(n_rows)
    source, n_folds = source_of(x, y, episodes)
    alphas = ALPHAS * n_rows
    found = solve_ridge(source, Shape(n_rows, n_features, 23, n_folds), alphas)
    folds = folds_by_episode(episodes)
    if n_rows < n_features:
        model = KernelRidgeCV(alphas=alphas, kernel="linear", cv=folds).fit(x, y)
        weights = model.get_primal_coef(x)
    else:
        model = RidgeCV(alphas=alphas, fit_intercept=False, cv=folds).fit(x, y)
        weights = model.coef_
    assert len(set(found.alphas)) > 3  # the targets do not all want the same
    np.testing.assert_allclose(found.alphas, model.best_alphas_, rtol=1e-12)  # one of the grid
    np.testing.assert_allclose(x @ found.weights, x @ weights, atol=1e-9 * np.abs(y).max())


def test_two_equal_halves_of_fewer_rows_than_features():
    """Then the inner products of one with the other are a square, too."""
    x, y = data(60, 90, n_targets=7)
    episodes = ["a"] * 30 + ["b"] * 30
    source, n_folds = source_of(x, y, episodes)
    alphas = ALPHAS * 60
    found = solve_ridge(source, Shape(60, 90, 7, n_folds), alphas)
    model = KernelRidgeCV(alphas=alphas, kernel="linear", cv=folds_by_episode(episodes)).fit(x, y)
    np.testing.assert_allclose(found.alphas, model.best_alphas_, rtol=1e-12)


def test_a_search_in_steps_finds_what_a_search_of_all_finds():
    x, y = data(300, 20, n_targets=40)
    source, n_folds = source_of(x, y, episodes_of(300))
    alphas = STRENGTHS * 300
    solver = solver_of(source, Shape(300, 20, 40, n_folds))
    ((_, every_one),) = solve_in_blocks(solver, alphas)
    ((_, in_steps),) = solve_in_blocks(solver, alphas, every=5)
    assert len(set(every_one.alphas) - set(alphas[::5])) > 5
    # An error with two minima of nearly equal height may have another alpha, not another score.
    assert np.sum(in_steps.alphas == every_one.alphas) >= 38
    np.testing.assert_allclose(in_steps.scores, every_one.scores, rtol=1e-3)


def test_targets_in_pieces_give_the_same(monkeypatch: pytest.MonkeyPatch):
    x, y = data(200, 15, n_targets=11)
    source, n_folds = source_of(x, y, episodes_of(200))
    shape = Shape(200, 15, 11, n_folds)
    whole = solve_ridge(source, shape, ALPHAS)
    monkeypatch.setattr("training.fitting.gram_ridge.TARGETS_AT_ONCE", 4)
    pieces = solve_ridge(source, shape, ALPHAS)
    np.testing.assert_array_equal(whole.alphas, pieces.alphas)
    np.testing.assert_allclose(whole.weights, pieces.weights, atol=1e-12)


def test_memory_does_not_grow_with_rows_or_with_alphas():
    """Against the tables of alphas x features x rows that a direct solution holds."""
    n_features, n_targets = 64, 8
    shape = Shape(40_000, n_features, n_targets, 4)

    def source(targets: slice) -> Iterator[Rows]:
        generator = np.random.default_rng(0)
        for number in range(80):
            x = generator.standard_normal((500, n_features))
            yield Rows(number % 4, x, (x[:, :n_targets] + 1)[:, targets])

    tracemalloc.start()
    solve_ridge(source, shape, ALPHAS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one_batch = 500 * n_features * 8
    of_features = n_features**2 * 8
    assert peak < 4 * one_batch + 40 * of_features < shape.n_rows * n_features * 8 / 4


def test_of_equal_scores_the_stronger_regularisation_is_taken():
    source, n_folds = source_of(np.ones((20, 2)), np.zeros((20, 1)), [str(i) for i in range(20)])
    found = solve_ridge(source, Shape(20, 2, 1, n_folds), ALPHAS)
    assert found.alphas[0] == ALPHAS[-1]


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


@pytest.mark.parametrize("n_trs", [40, 10], ids=["many rows", "fewer rows than features"])
def test_a_low_rank_is_that_of_the_singular_values_of_the_fitted_values(
    n_trs: int, monkeypatch: pytest.MonkeyPatch
):
    """Of rank R no matrix is nearer to the ridge's fitted values (Eckart and Young 1936)."""
    monkeypatch.setattr("training.fitting.gram_ridge.TARGETS_AT_ONCE", 7)  # several blocks
    runs, features, _ = runs_with_data(n_trs, 40, n_targets=3)
    generator = np.random.default_rng(1)
    mixing = generator.standard_normal((40, 4)) @ generator.standard_normal((4, 19)) / 100
    responses = [
        (x @ mixing + 0.5 * generator.standard_normal((n_trs, 19)) + 5).astype(np.float32)
        for x in features
    ]
    for table in responses:
        table[:, 2] = np.nan
    full, low = (
        new_head(40, ReadOut("conv7", 2, 1.5, "crop", tuple(range(19)), ("a",), rank=rank))
        for rank in (None, 4)
    )
    fitted = []
    for head in (full, low):
        solve_read_out(head, runs, features, responses)
        padded = [torch.nn.functional.pad(torch.from_numpy(x.T)[None], (1, 0)) for x in features]
        fitted.append(np.concatenate([head(x)[0].T.detach().numpy() for x in padded]))
    assert not fitted[1][:, 2].any()
    assert not output_layer(low).weight[2].any()
    there = np.arange(19) != 2
    mean = np.concatenate(responses)[:, there].mean(axis=0)
    u, s, v = np.linalg.svd(fitted[0][:, there] - mean)
    nearest = u[:, :4] * s[:4] @ v[:4] + mean
    assert np.abs(nearest - fitted[0][:, there]).max() > 0.1  # the rank takes something away
    np.testing.assert_allclose(fitted[1][:, there], nearest, atol=2e-4)
    assert list(low.state_dict()) == ["0.weight", "1.weight", "1.bias"]


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
    active = torch.zeros(1, 4, 1)
    active[0, 3] = 5.0  # as strongly as the others
    silent = head(torch.zeros(1, 4, 1))
    assert (head(active) - silent).abs().max() < 1


def test_delays_do_not_cross_runs():
    tables = [delayed(np.full((4, 1), value, np.float32), 3) for value in (1.0, 2.0)]
    assert (tables[1][0] == [0, 0, 2]).all()
    for before, after in pairwise(tables[1]):
        assert (after[:-1] == before[1:]).all()
