"""Representational similarity and dimensionality against scipy and closed forms."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from benchmarks.correspondence.evaluation import effective_dimensionality
from benchmarks.correspondence.rsa import (
    between_participants,
    compare_stages,
    distances,
    halves,
    spearman,
)
from benchmarks.correspondence.splits import random_splits


@pytest.fixture
def table():
    return np.random.default_rng(0).standard_normal((30, 8))


def test_distances_are_those_of_scipy(table):
    np.testing.assert_allclose(distances(table), pdist(table, "correlation"), atol=1e-12)


def test_rank_correlation_is_that_of_scipy(table):
    a, b = distances(table), distances(np.abs(table))
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(a, np.ones_like(a)) == 0


def test_test_sounds_are_scaled_by_training_sounds(table):
    table = np.concatenate([table, np.ones((30, 1))], axis=1)  # a unit that never varies
    split = random_splits(30)[0]
    train, test = halves(table, [split])[0]
    scaled = (table - table[split.train].mean(axis=0))[:, :-1] / table[split.train, :-1].std(axis=0)
    flat = np.concatenate([scaled, np.zeros((30, 1))], axis=1)
    np.testing.assert_allclose(train, pdist(flat[split.train], "correlation"), atol=1e-12)
    np.testing.assert_allclose(test, pdist(flat[split.test], "correlation"), atol=1e-12)


def test_a_system_is_like_its_rotation_and_unlike_another(table):
    """Distances by correlation do not care for rotations that keep the mean pattern."""
    generator = np.random.default_rng(1)
    splits = random_splits(30)
    other = halves(generator.standard_normal((30, 8)), splits)
    own = halves(table, splits)
    scores = compare_stages(
        {"other": other, "doubled": halves(np.repeat(table, 2, 1), splits)}, own
    )
    assert scores.best == pytest.approx(1.0)
    assert scores.chosen == (1,) * 10
    assert abs(scores.stages[0]) < 0.3


def test_equal_participants_agree_and_others_do_not(table):
    splits = random_splits(30)
    generator = np.random.default_rng(2)
    strangers = [halves(generator.standard_normal((30, 8)), splits) for _ in range(4)]
    assert between_participants([halves(table, splits)] * 3) == pytest.approx(1.0)
    assert abs(between_participants(strangers)) < 0.25
    with pytest.raises(ValueError, match="needs 2 or more of them, got 1"):
        between_participants(strangers[:1])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_directions_count_alike(n):
    table = np.linalg.qr(np.random.default_rng(0).standard_normal((40, n + 1)))[0][:, :n]
    table -= table.mean(axis=0)
    table = (
        np.linalg.qr(table)[0] @ np.random.default_rng(1).standard_normal((n, n))
        if n == 1
        else np.linalg.qr(table)[0]
    )
    assert effective_dimensionality(table) == pytest.approx(n)


def test_dimensionality_is_that_of_the_eigenvalues(table):
    table = table * np.logspace(0, 2, 8)
    for z_score in (False, True):
        scaled = table / table.std(axis=0) if z_score else table
        values = np.linalg.eigvalsh(np.cov(scaled.T))
        expected = values.sum() ** 2 / np.square(values).sum()
        assert effective_dimensionality(table, z_score=z_score) == pytest.approx(expected)


def test_nothing_that_varies_has_no_dimensionality():
    with pytest.raises(ValueError, match="no unit differs between sounds"):
        effective_dimensionality(np.ones((5, 3)))
