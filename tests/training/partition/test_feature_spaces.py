import numpy as np
import pytest
from sklearn.decomposition import PCA

from training.partition.spaces import FeatureSpace


def runs(seed: int, n_channels: int, lengths: tuple[int, ...] = (30, 20)) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    scale = np.linspace(1, 3, n_channels)
    return [5 + scale * generator.standard_normal((n, n_channels)) for n in lengths]


def test_training_rows_have_mean_zero_and_total_variance_one():
    training = runs(0, 4)
    rows = FeatureSpace("a", training, n_delays=1, n_components=9).apply_all(training)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    assert rows.var(axis=0).sum() == pytest.approx(1, rel=1e-5)


def test_other_runs_are_scaled_as_the_training_runs_are():
    space = FeatureSpace("a", runs(0, 3), n_delays=1, n_components=9)
    one = runs(1, 3)[0]
    np.testing.assert_allclose(
        space.apply(one + 10) - space.apply(one), space.apply(one * 0 + 10) - space.apply(one * 0),
        atol=1e-5,
    )  # fmt: skip


def test_delays_never_cross_runs():
    training = runs(0, 2)
    space = FeatureSpace("a", training, n_delays=3, n_components=9)
    changed = [training[0].copy(), training[1]]
    changed[0][-1] += 100
    before, after = space.apply_all(training), space.apply_all(changed)
    n_first = len(training[0])
    assert not np.allclose(after[n_first - 1], before[n_first - 1])
    np.testing.assert_array_equal(after[n_first:], before[n_first:])
    assert (before[n_first, : 2 * 2] == 0).all()  # the second run has no past at its first TR


def test_wide_spaces_keep_the_principal_components_of_training_rows():
    training, other = runs(2, 12, (80, 40)), runs(3, 12)[0]
    space = FeatureSpace("a", training, n_delays=1, n_components=4)
    rows = np.concatenate(training)
    # Channels vary by their scale, those that vary less than the root mean square by less than 1.
    scale = np.maximum(rows.std(axis=0), np.sqrt(np.mean(rows.var(axis=0))))
    oracle = PCA(4).fit(rows / scale)
    assert space.explained == pytest.approx(oracle.explained_variance_ratio_.sum(), rel=1e-6)
    kept = oracle.transform(other / scale)
    np.testing.assert_allclose(  # up to signs and one common factor
        np.abs(space.apply(other)) / np.abs(space.apply(other)[0, 0]),
        np.abs(kept) / np.abs(kept[0, 0]),
        rtol=1e-3,
        atol=1e-4,
    )


def test_a_unit_that_hardly_fires_is_not_blown_up():
    training = runs(0, 2)
    for run in training:
        run[:, 1] = 0
    training[0][3, 1] = 1e-6
    rows = FeatureSpace("a", training, n_delays=1, n_components=9).apply_all(training)
    assert rows[:, 1].var() < 1e-9 * rows[:, 0].var()


def test_wrong_features_are_refused_in_words():
    with pytest.raises(ValueError, match="'envelope' does not vary over the 7 training rows"):
        FeatureSpace("envelope", [np.full((7, 1), 0.1)], n_delays=1, n_components=9)
    with pytest.raises(ValueError, match="'a' has no training runs"):
        FeatureSpace("a", [], n_delays=1, n_components=9)
    with pytest.raises(ValueError, match="'a' has values that are not finite"):
        FeatureSpace("a", [np.array([[1.0], [np.nan]])], n_delays=1, n_components=9)
