import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from training.fitting.ridge import folds_by_episode
from training.partition.variance import Decomposition, decompose, needed_models

SHARES = {"envelope": 0.2, "spectrogram": 0.1, "model": 0.3}  # of the variance of the target
N_RUNS, N_TRS, WIDTH = 6, 500, 3


def independent_spaces(
    seed: int, shares: dict[str, float] = SHARES
) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Runs of a target to which independent spaces contribute known shares of variance."""
    generator = np.random.default_rng(seed)
    runs = []
    for _ in range(N_RUNS):
        own = {name: generator.standard_normal((N_TRS, WIDTH)) for name in shares}
        y = sum(
            np.sqrt(share) * own[name].sum(axis=1) / np.sqrt(WIDTH)
            for name, share in shares.items()
        )
        noise = np.sqrt(1 - sum(shares.values())) * generator.standard_normal(N_TRS)
        runs.append(((y + noise)[:, None], own))
    return runs


def split(runs: list[tuple[np.ndarray, dict[str, np.ndarray]]], n_held_out: int = 2, **settings):
    fitted, held_out = runs[n_held_out:], runs[:n_held_out]
    rows = {name: np.concatenate([own[name] for _, own in fitted]) for name in fitted[0][1]}
    y = np.concatenate([measured for measured, _ in fitted])
    folds = folds_by_episode([f"run-{i}" for i in range(len(fitted)) for _ in range(N_TRS)])
    return decompose(rows, y, held_out, folds, n_random=4, **settings)


def assert_adds_up(parts: Decomposition) -> None:
    np.testing.assert_allclose(sum(parts.unique.values()) + parts.shared, parts.r2_full)


def test_independent_spaces_are_unique_by_their_share_of_the_variance():
    parts = split(independent_spaces(0))
    for name, share in SHARES.items():
        assert parts.unique[name] == pytest.approx(share, abs=0.05)
        assert parts.alone[name] == pytest.approx(share, abs=0.05)
    assert parts.shared == pytest.approx(0, abs=0.03)
    assert parts.r2_full == pytest.approx(sum(SHARES.values()), abs=0.06)
    assert parts.r_full == pytest.approx(np.sqrt(parts.r2_full), abs=0.01)
    assert_adds_up(parts)


def test_what_two_spaces_both_hold_is_shared():
    runs = independent_spaces(1)
    for _, own in runs:
        own["envelope"] = own["model"].copy()
    parts = split(runs)
    assert parts.alone["envelope"] == pytest.approx(SHARES["model"], abs=0.05)
    assert parts.shared == pytest.approx(SHARES["model"], abs=0.05)
    for name in ("envelope", "model"):
        assert parts.unique[name] == pytest.approx(0, abs=0.02)
    assert_adds_up(parts)


def test_permuting_a_space_takes_its_unique_part_away():
    runs = independent_spaces(2)
    generator = np.random.default_rng(0)
    for _, own in runs:
        own["model"] = generator.permutation(own["model"])
    parts = split(runs)
    assert parts.unique["model"] == pytest.approx(0, abs=0.02)
    assert parts.unique["envelope"] == pytest.approx(SHARES["envelope"], abs=0.05)


def test_agrees_with_least_squares_where_rows_abound():
    runs = independent_spaces(3)
    parts = split(runs)

    def least_squares(names: list[str]) -> float:
        x = [np.concatenate([own[name] for name in names], axis=1) for _, own in runs]
        y = [measured for measured, _ in runs]
        model = LinearRegression().fit(np.concatenate(x[2:]), np.concatenate(y[2:]))
        scores = [r2_score(y[i], model.predict(x[i])) for i in range(2)]
        return float(np.mean(scores))

    full = least_squares(list(SHARES))
    assert parts.r2_full == pytest.approx(full, abs=0.01)
    assert parts.unique["model"] == pytest.approx(
        full - least_squares(["envelope", "spectrogram"]), abs=0.01
    )


def test_concatenated_runs_are_scored_together():
    runs = independent_spaces(4)
    parts = split(runs, pooling="concatenated")
    mean = split(runs, pooling="mean")
    assert parts.r2_full != mean.r2_full
    assert parts.r2_full == pytest.approx(mean.r2_full, abs=0.02)


def test_every_model_is_fitted_once():
    assert needed_models(["a", "b", "c"]) == [
        ("a", "b", "c"), ("b", "c"), ("a", "c"), ("a", "b"), ("a",), ("b",), ("c",),
    ]  # fmt: skip


def test_one_space_cannot_be_partitioned():
    with pytest.raises(ValueError, match="two feature spaces or more"):
        decompose({"model": np.zeros((4, 1))}, np.zeros((4, 1)), [], [])
