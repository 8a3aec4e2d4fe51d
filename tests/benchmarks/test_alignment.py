"""Networks aligned with responses: what is trained, how it is scored, and the tests."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import r2_score

from benchmarks.alignment import natural_sounds, tasks
from benchmarks.alignment.natural_sounds import out_of_fold
from benchmarks.alignment.networks import (
    STAGES,
    Setting,
    Start,
    fine_tuned,
    summaries,
    tried_settings,
)
from benchmarks.alignment.scores import FEATURES, TOGETHER, errors_of, predictions, r2
from benchmarks.alignment.sounds import Sounds
from benchmarks.correspondence.splits import Split

LONG = Setting(1e-3, 6)


@pytest.fixture(scope="module")
def start() -> Start:
    return Start("untrained")


@pytest.fixture(scope="module")
def sounds(start: Start) -> Sounds:
    """Noises whose responses are a network's own units: those of conv4 of another network."""
    generator = np.random.default_rng(0)
    loudness = np.exp(generator.standard_normal(40))
    frames = torch.cat(
        [start.frames(np.float32(0.02 * a) * _noise(generator, i)) for i, a in enumerate(loudness)]
    )
    units = summaries(start.soundnet, frames)["conv4"]
    responses = units[:, :64] @ generator.standard_normal((64, 2)) / 8
    categories = tuple("ab"[i % 2] for i in range(40))
    return Sounds(frames, responses.astype(np.float64), categories, ("one", "two"))


def _noise(generator: np.random.Generator, i: int) -> np.ndarray:
    noise = generator.standard_normal(22050).astype(np.float32)
    return np.convolve(noise, np.ones(1 + i % 7, np.float32), "same")


def test_fine_tuning_moves_what_it_should(start: Start, sounds: Sounds) -> None:
    before = {name: value.clone() for name, value in start.soundnet.state_dict().items()}
    network = fine_tuned(start, sounds.frames, sounds.responses, LONG, seed=0)
    for name, value in start.soundnet.state_dict().items():
        assert torch.equal(value, before[name])
        moved = not torch.equal(value, network.state_dict()[name])
        is_trained = name.split(".")[0] in STAGES and "running" not in name
        assert moved == (is_trained and "num_batches" not in name), name


def test_settings_of_equal_rate_are_one_fit(start: Start, sounds: Sounds) -> None:
    grid = [Setting(1e-3, 1), Setting(1e-3, 2)]
    for setting, network in tried_settings(start, sounds.frames, sounds.responses, grid, seed=3):
        alone = fine_tuned(start, sounds.frames, sounds.responses, setting, seed=3)
        for one, other in zip(network.parameters(), alone.parameters(), strict=True):
            assert torch.equal(one, other)


def test_r2_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    responses = generator.standard_normal((30, 3))
    split = Split(np.arange(20), np.arange(20, 30))
    responses[split.test] -= responses[split.test].mean(axis=0) - responses[split.train].mean(
        axis=0
    )
    predicted = generator.standard_normal((10, 3)) / 4
    errors = errors_of({"all": predicted}, responses, split)["all"]
    measured = responses[split.test] - responses[split.train].mean(axis=0)
    assert r2(errors) == pytest.approx(r2_score(measured, predicted))


def test_each_sound_is_predicted_by_a_fit_without_it(start: Start, sounds: Sounds) -> None:
    folds = sounds.folds(natural_sounds.N_FOLDS)
    assert sorted(np.concatenate([each.test for each in folds]).tolist()) == list(range(40))
    settings = [Setting(1e-3, 1)] * natural_sounds.N_FOLDS
    found = out_of_fold(start, sounds, settings, seed=0)
    changed = Sounds(sounds.frames, sounds.responses.copy(), sounds.categories, sounds.components)
    changed.responses[folds[2].test] += 100.0  # those responses must not reach that fold's fit
    network = fine_tuned(
        start, sounds.frames[folds[2].train], changed.responses[folds[2].train], settings[0], 0
    )
    predicted = predictions(summaries(network, sounds.frames), changed.responses, folds[2])
    place = FEATURES.index(TOGETHER)
    expected = errors_of(predicted, sounds.responses, folds[2])[TOGETHER]
    np.testing.assert_allclose(found[place][:, folds[2].test], expected)


def test_exact_p_value_is_that_of_all_divisions() -> None:
    one, other = np.array([0.9, 0.7, 0.8]), np.array([0.5, 0.75, 0.4])
    every = np.concatenate([one, other])
    observed = one.mean() - other.mean()
    differences = [
        every[list(rows)].mean() - np.delete(every, list(rows)).mean()
        for rows in combinations(range(6), 3)
    ]
    expected = np.mean(np.abs(differences) >= abs(observed) - 1e-12)
    assert tasks._p(one, other) == pytest.approx(expected)


def test_power_is_that_of_a_normal_test() -> None:
    shift = tasks.POWER_80  # in standard errors
    assert norm.sf(norm.ppf(0.975) - shift) == pytest.approx(0.8, abs=0.002)
