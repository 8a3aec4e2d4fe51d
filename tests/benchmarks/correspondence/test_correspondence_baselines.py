"""Cochleagram and modulation filters against closed forms and plain Fourier transforms."""

import numpy as np
import pytest
import torch

from benchmarks.correspondence.baselines.cochleagram import (
    ENVELOPE_RATE,
    N_CHANNELS,
    SAMPLE_RATE,
    Cochleagram,
    cochleagram,
    filter_bank,
)
from benchmarks.correspondence.baselines.log_mel import LogMel, ModulationSpectrum
from benchmarks.correspondence.baselines.spectrotemporal import (
    CHANNELS_PER_ERB,
    N_FEATURES,
    PADDED_TIME,
    RATES_HZ,
    SCALES,
    SpectroTemporal,
    modulation_power,
    spectral_gain,
    temporal_gain,
)


def test_filters_share_out_the_energy_of_every_frequency():
    bank = filter_bank(SAMPLE_RATE)
    assert bank.shape == (211, SAMPLE_RATE // 2 + 1)
    np.testing.assert_allclose(np.square(bank).sum(axis=0), 1.0, atol=1e-5)


@pytest.mark.parametrize("hertz", [200, 1000, 5000])
def test_a_tone_is_strongest_in_the_filter_that_is_centred_on_it(hertz):
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = torch.sin(2 * np.pi * hertz * time)[None]
    response = cochleagram(tone)[0, :, 50:150].mean(dim=1)
    bank = filter_bank(SAMPLE_RATE)
    assert int(response.argmax()) == int(bank[:, hertz].argmax())
    # The envelope of a subband of a tone is the filter's gain at it.
    expected = torch.from_numpy(bank[:, hertz]) ** 0.3
    passed = expected > 0.3
    torch.testing.assert_close(response[passed], expected[passed], atol=0.01, rtol=0.01)


def test_a_click_is_at_its_own_time():
    click = torch.zeros(SAMPLE_RATE)
    click[12_000] = 1.0  # at 0.6 s
    frames = Cochleagram().frames(click, "cochleagram")
    loudest = frames.times_s[frames.values.sum(dim=1).argmax()]
    assert float(loudest) == pytest.approx(0.6, abs=1 / ENVELOPE_RATE)
    assert len(frames.times_s) == ENVELOPE_RATE


def plain_power(spectrogram, rate, scale, direction):
    """The same filter as a whole 2-D transfer function, with silence around."""
    n_frames = spectrogram.shape[1]
    n_time, n_scale = PADDED_TIME * n_frames, 2 * N_CHANNELS
    temporal = np.zeros(n_time, dtype=complex)
    gain = temporal_gain(rate, n_frames)
    temporal[: len(gain)] = gain
    temporal[-len(gain) + 1 :] = np.conj(gain[1:][::-1])
    spectral = np.zeros(n_scale)
    half = spectral_gain(scale)
    half[-1] = 0
    spectral[: len(half)] = half
    spectral[-len(half) + 1 :] = half[1:][::-1]
    transfer = np.outer(spectral, temporal)
    f, t = np.fft.fftfreq(n_scale)[:, None], np.fft.fftfreq(n_time)[None]
    transfer[np.sign(f) * np.sign(t) != direction] = 0
    padded = np.zeros((n_scale, n_time))
    padded[:N_CHANNELS, :n_frames] = spectrogram
    filtered = np.fft.ifft2(np.fft.fft2(padded) * transfer)[:N_CHANNELS, :n_frames]
    assert np.abs(filtered.imag).max() < 1e-9
    return np.square(filtered.real).mean(axis=1)


@pytest.mark.parametrize(("rate", "scale"), [(0, 0), (3, 2), (7, 5)])
def test_power_is_that_of_the_whole_two_dimensional_filter(rate, scale):
    spectrogram = np.random.default_rng(0).random((N_CHANNELS, 120))
    found = modulation_power(torch.from_numpy(spectrogram.astype(np.float32))).numpy()
    first = 1 + len(SCALES) + len(RATES_HZ)
    for number, direction in enumerate((1, -1)):
        row = first + rate * 2 * len(SCALES) + number * len(SCALES) + scale
        expected = plain_power(spectrogram, RATES_HZ[rate], SCALES[scale], direction)
        np.testing.assert_allclose(found[row], expected, rtol=1e-3, atol=1e-7)


def test_falling_and_rising_ripples_are_distinguished():
    """Only the filter of its own rate, scale and direction answers a moving ripple most."""
    time = np.arange(400) / ENVELOPE_RATE
    place = np.arange(N_CHANNELS)[:, None] / CHANNELS_PER_ERB
    answers = {}
    for sign in (1, -1):
        ripple = np.cos(2 * np.pi * (8.0 * time + sign * 0.5 * place))
        power = modulation_power(torch.from_numpy(ripple.astype(np.float32))).sum(dim=1)
        answers[sign] = int(power.argmax())
    first = 1 + len(SCALES) + len(RATES_HZ)
    rate, scale = RATES_HZ.index(8.0), SCALES.index(0.5)
    place_of = first + rate * 2 * len(SCALES) + scale
    assert answers == {1: place_of, -1: place_of + len(SCALES)}


def test_the_mean_counts_the_silence_around_the_sound():
    power = modulation_power(torch.full((N_CHANNELS, 300), 6.0))
    torch.testing.assert_close(power[0], torch.full((N_CHANNELS,), 1.0))


def test_numbers_of_features():
    audio = 0.1 * torch.randn(1, SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    model = SpectroTemporal()
    found = model.activations(audio)[model.stages[0]]
    assert found.shape == (1, 23_421) == (1, N_FEATURES)
    assert Cochleagram().activations(audio)["cochleagram"].shape == (1, 211)
    with pytest.raises(ValueError, match="averages over the whole sound and has no frames"):
        model.frames(audio[0], model.stages[0])


def test_log_mel_features_are_those_of_the_yardsticks():
    audio = 0.1 * torch.randn(2, 44_100, generator=torch.Generator().manual_seed(0))
    assert LogMel().activations(audio)["mean and std"].shape == (2, 256)
    assert ModulationSpectrum().activations(audio)["modulation spectrum"].shape == (2, 640)
    with pytest.raises(ValueError, match=r"needs sounds of 0\.25 s or more, got 0\.1 s"):
        ModulationSpectrum().activations(audio[:, :2205])
