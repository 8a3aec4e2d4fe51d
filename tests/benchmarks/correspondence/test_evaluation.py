"""Splits and the choice of stages."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from benchmarks.correspondence.evaluation import (
    best_stage,
    effective_dimensionality,
)
from benchmarks.correspondence.rsa import (
    between_participants,
    compare_stages,
    distances,
    halves,
    spearman,
)
from benchmarks.correspondence.splits import random_splits


def test_halves_share_no_sound_and_leave_none_out():
    for split in random_splits(165):
        assert (len(split.train), len(split.test)) == (83, 82)
        assert sorted([*split.train, *split.test]) == list(range(165))


def test_splits_are_those_of_the_published_procedure():
    np.random.seed(0)  # noqa: NPY002
    for split in random_splits(165):
        train = np.random.choice(165, size=83, replace=False)  # noqa: NPY002
        rest = list(set(np.arange(165).tolist()) - set(train.tolist()))
        np.random.choice(rest, size=82, replace=False)  # noqa: NPY002
        assert split.train.tolist() == sorted(train.tolist())


def test_equal_seeds_give_equal_splits_and_others_do_not():
    first, again, other = (random_splits(40, seed=seed)[0].train for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_splits_than_sounds_are_refused():
    with pytest.raises(ValueError, match=r"1 to 12 splits of 12 sounds .* got 13; ask for fewer"):
        random_splits(12, 13)
    with pytest.raises(ValueError, match="at least 6 sounds to split in halves, got 5"):
        random_splits(5, 1)


def test_the_best_of_many_equal_stages_is_not_better_than_they_are():
    """Choosing and scoring by the same splits would find the luckiest stage above 0.5."""
    generator = np.random.default_rng(0)
    scores = 0.5 + 0.1 * generator.standard_normal((30, 10, 400))
    honest = best_stage(scores).score.mean()
    lucky = np.median(scores, axis=1).max(axis=0).mean()
    assert abs(honest - 0.5) < 0.01
    assert lucky > 0.55


def test_the_stage_that_is_best_in_all_splits_is_found():
    scores = np.full((5, 10, 2), 0.1)
    scores[3, :, 0], scores[0, :, 1] = 0.6, 0.4
    best = best_stage(scores)
    np.testing.assert_allclose(best.score, [0.6, 0.4])
    np.testing.assert_allclose(best.position, [0.75, 0.0])


def test_one_split_cannot_choose_and_score():
    with pytest.raises(ValueError, match="expected at least 2 splits, got 1"):
        best_stage(np.zeros((3, 1, 2)))


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
    others = [halves(generator.standard_normal((30, 8)), splits) for _ in range(4)]
    assert between_participants([halves(table, splits)] * 3) == pytest.approx(1.0)
    assert abs(between_participants(others)) < 0.25
    with pytest.raises(ValueError, match="needs 2 or more of them, got 1"):
        between_participants(others[:1])


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
