"""Signals of a simulated brain, against closed forms, scipy and nilearn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from training.simulation.brain import Parcel
from training.simulation.experiment import _measure
from training.simulation.features import HOP, MODULATION_BANDS, modulation, spectral
from training.simulation.signals import (
    HaemodynamicResponse,
    autoregressive,
    convolve_fine,
    filter_trs,
    framewise_displacement,
    slow_cosines,
)
from training.simulation.truth import best_scores

RATE = 22_050
TR = 1.49


def test_r_squared_of_the_truth_is_the_explainable_variance():
    """With a long run, a signal of variance 1 and noise of variance 1 the two are equal."""
    generator = np.random.default_rng(0)
    n_trs, shares = 40_000, np.array([0.1, 0.3, 0.6, 0.9])
    brain = [
        Parcel(
            i,
            f"p{i}",
            "envelope",
            False,
            np.zeros(1, np.int64),
            np.ones(1),
            HaemodynamicResponse(5.0),
            share,
            rho=0.4,
        )
        for i, share in enumerate(shares)
    ]
    signal = generator.standard_normal((n_trs, 4))
    best, measured = _measure(brain, [signal], np.random.SeedSequence(1))
    r, r2 = best_scores(best, measured)
    np.testing.assert_allclose(r**2, shares, atol=0.02)
    np.testing.assert_allclose(r2, shares, atol=0.02)


def test_autoregressive_noise_equals_a_filtered_innovation():
    rho, n_trs = np.array([0.0, 0.4, 0.8]), 50
    noise = autoregressive(n_trs, rho, np.random.default_rng(2))
    white = np.random.default_rng(2).standard_normal((n_trs, 3))
    for column, coefficient in enumerate(rho):
        innovation = np.sqrt(1 - coefficient**2) * white[1:, column]
        expected, _ = scipy.signal.lfilter(
            [1], [1, -coefficient], innovation, zi=[coefficient * white[0, column]]
        )
        np.testing.assert_allclose(noise[1:, column], expected)


def test_autoregressive_noise_has_the_spectrum_of_its_process():
    noise = autoregressive(100_000, np.array([0.4]), np.random.default_rng(3))[:, 0]
    frequency, density = scipy.signal.welch(noise, nperseg=256)
    expected = 2 * (1 - 0.16) / np.abs(1 - 0.4 * np.exp(-2j * np.pi * frequency)) ** 2
    np.testing.assert_allclose(density[2:-2], expected[2:-2], rtol=0.25)


def test_cosines_are_orthonormal_slow_and_equal_nilearns():
    from nilearn.glm.first_level.design_matrix import create_cosine_drift

    cosines = slow_cosines(400, TR)
    np.testing.assert_allclose(cosines.T @ cosines, np.eye(9), atol=1e-12)
    drift = create_cosine_drift(1 / 128, np.arange(400) * TR)
    np.testing.assert_allclose(np.abs(cosines), np.abs(drift[:, :9]), atol=1e-9)


def test_framewise_displacement_of_a_single_step():
    motion = np.zeros((5, 6))
    motion[2:, 0] = 0.3  # mm
    motion[3:, 4] = 0.01  # rad on a sphere of 50 mm
    np.testing.assert_allclose(framewise_displacement(motion), [0, 0, 0.3, 0.5, 0])


@pytest.mark.parametrize("peak", [4.5, 5.0, 6.5])
def test_haemodynamic_response_peaks_at_its_delay_and_undershoots(peak):
    times = np.arange(0, 32, 0.01)
    response = HaemodynamicResponse(peak)(times)
    assert times[response.argmax()] == pytest.approx(peak, abs=0.05)
    assert response[0] == 0
    assert response.min() == pytest.approx(-1 / 6, abs=0.02)


def test_a_click_evokes_the_haemodynamic_response_at_its_own_time():
    response = HaemodynamicResponse(5.0)
    drive = np.zeros(2500)
    drive[1000] = 25  # 40 ms from 40 s on
    evoked = convolve_fine(drive, 25.0, response, n_trs=60, tr=TR)
    np.testing.assert_allclose(evoked, response(np.arange(60) * TR - 40.02), atol=0.01)


def test_filter_over_trs_is_causal_and_as_long_as_its_delays():
    response = HaemodynamicResponse(5.0)
    drive = np.zeros(20)
    drive[4] = 1
    filtered = filter_trs(drive, response, n_delays=6, tr=TR)
    np.testing.assert_allclose(filtered[4:10], response(np.arange(6) * TR))
    assert not filtered[:4].any()
    assert not filtered[10:].any()


@pytest.mark.parametrize(("rate", "band"), [(3.0, 0), (6.0, 1), (11.0, 2), (22.0, 3)])
def test_modulation_shows_in_its_own_band(rate, band):
    assert MODULATION_BANDS[band][0] < rate < MODULATION_BANDS[band][1]
    time = np.arange(10 * RATE) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    sound = 0.1 * noise * (1 + np.sin(2 * np.pi * rate * time))
    assert modulation(sound)[50:-50].mean(axis=0).argmax() == band


def test_spectral_energy_moves_up_with_the_pitch():
    time = np.arange(10 * HOP) / RATE
    highest = [
        spectral(0.1 * np.sin(2 * np.pi * pitch * time)).mean(axis=0).argmax()
        for pitch in (200, 1000, 3000, 8000)
    ]
    assert highest == sorted(set(highest))
    assert not spectral(np.zeros(4 * HOP)).any()
