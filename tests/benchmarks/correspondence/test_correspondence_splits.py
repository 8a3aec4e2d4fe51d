"""Splits and the choice of stages."""

import numpy as np
import pytest

from benchmarks.correspondence.evaluation import (
    best_stage,
    over_participants,
    profiles,
    stage_positions,
)
from benchmarks.correspondence.splits import random_splits


def test_halves_share_no_sound_and_leave_none_out():
    for split in random_splits(165):
        assert len(split.train), len(split.test) == (83, 82)
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
    assert stage_positions(5).tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_participants_count_alike_however_many_voxels_they_have():
    values = np.array([0.1, 0.1, 0.1, 0.9])
    assert over_participants(values, ["a", "a", "a", "b"]) == pytest.approx(0.5)


def test_profiles_follow_their_regions():
    scores = np.zeros((2, 3, 4))
    scores[0, :, :2], scores[1, :, 2] = 0.3, 0.7
    found = profiles(scores, ["a", "b", "a", "b"], ["Primary", "Primary", "Lateral", ""])
    assert found == {
        "Primary": pytest.approx([0.3, 0.0]),
        "Lateral": pytest.approx([0.0, 0.7]),
    }


def test_one_split_cannot_choose_and_score():
    with pytest.raises(ValueError, match="expected at least 2 splits, got 1"):
        best_stage(np.zeros((3, 1, 2)))
