import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from himalaya.kernel_ridge import KernelRidgeCV
from himalaya.ridge import RidgeCV

from training.fitting.gram_ridge import Rows, Shape, Source, solve_ridge
from training.fitting.ridge import folds_by_episode

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
