from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from small_dataset import RATE, changing_sound, write_prepared

from training.data.prepared import Prepared, Run
from training.partition.spaces import FeatureSpace, low_level_features

TR = 1.49


def dataset(folder: Path, sound: np.ndarray, *runs: Run) -> Prepared:
    tables = {run: np.zeros((run.n_trs, 1)) for run in runs}
    return Prepared(write_prepared(folder, {"sound": sound}, tables, runs[0].tr))


def run_of(name: str, *, start: float = 0.0, tr: float = TR, n_trs: int = 4) -> Run:
    return Run("sub-01", name, "sound", "", name, "", start, tr, n_trs)


def tone(hz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def int16(sound: np.ndarray) -> np.ndarray:
    return np.rint(32767 * sound).astype(np.int16)


def test_rows_belong_to_their_trs(tmp_path: Path):
    sound = np.zeros(round(6 * TR * RATE))
    first = round(2 * TR * RATE)
    sound[first : first + round(TR * RATE)] = tone(1000, TR)
    late = run_of("late", start=TR)
    prepared = dataset(tmp_path / "data", int16(sound), run_of("a"), late)
    for run, row in ((prepared.runs[0], 2), (prepared.runs[1], 1)):
        level = low_level_features(prepared, run, ["envelope"])["envelope"][:, 0]
        assert level[row] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
        assert np.delete(level, row).max() < 0.01


def test_all_spaces_are_finite_even_past_the_end_of_the_sound(tmp_path: Path):
    run = run_of("a", start=-3.0, n_trs=9)
    prepared = dataset(tmp_path / "data", changing_sound(5.0, seed=1), run)
    features = low_level_features(prepared, run)
    shapes = {name: own.shape for name, own in features.items()}
    assert shapes == {"envelope": (9, 1), "spectrogram": (9, 32), "modulation": (9, 45)}
    assert all(np.isfinite(own).all() for own in features.values())
    assert features["envelope"][-1] == 0


@pytest.mark.parametrize("seconds", [0.002, 0.3, 2.0])
def test_a_sound_without_trs_is_one_row(tmp_path: Path, seconds: float):
    run = run_of("a", tr=0.0, n_trs=1)
    prepared = dataset(tmp_path / "data", changing_sound(seconds, seed=1), run)
    features = low_level_features(prepared, run)
    assert all(len(own) == 1 and np.isfinite(own).all() for own in features.values())


def standard_runs(
    seed: int, n_channels: int, lengths: tuple[int, ...] = (30, 20)
) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    scale = np.linspace(1, 3, n_channels)
    return [5 + scale * generator.standard_normal((n, n_channels)) for n in lengths]


def test_training_rows_have_mean_zero_and_total_variance_one():
    training = standard_runs(0, 4)
    rows = FeatureSpace("a", training, n_delays=1, n_components=9).apply_all(training)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    assert rows.var(axis=0).sum() == pytest.approx(1, rel=1e-5)


def test_other_runs_are_scaled_as_the_training_runs_are():
    space = FeatureSpace("a", standard_runs(0, 3), n_delays=1, n_components=9)
    one = standard_runs(1, 3)[0]
    np.testing.assert_allclose(
        space.apply(one + 10) - space.apply(one), space.apply(one * 0 + 10) - space.apply(one * 0),
        atol=1e-5,
    )  # fmt: skip


def test_delays_never_cross_runs():
    training = standard_runs(0, 2)
    space = FeatureSpace("a", training, n_delays=3, n_components=9)
    changed = [training[0].copy(), training[1]]
    changed[0][-1] += 100
    before, after = space.apply_all(training), space.apply_all(changed)
    n_first = len(training[0])
    assert not np.allclose(after[n_first - 1], before[n_first - 1])
    np.testing.assert_array_equal(after[n_first:], before[n_first:])
    assert (before[n_first, : 2 * 2] == 0).all()  # the second run has no past at its first TR


def test_wide_spaces_keep_the_principal_components_of_training_rows():
    training, other = standard_runs(2, 12, (80, 40)), standard_runs(3, 12)[0]
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
    training = standard_runs(0, 2)
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
