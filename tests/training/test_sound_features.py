"""Features of sounds whose level, spectrum and modulation are known."""

import numpy as np
import pytest

from training.partition.spaces import FRAMES_PER_SECOND, N_CHANNELS, RATES_HZ, SCALES
from training.sound_features import log_mel, modulation_octaves, rms

RATE = 22_050
OCTAVES = {"window_s": 1.0, "rates_hz": RATES_HZ, "scales": SCALES}


def tone(hz: float, seconds: float) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def test_level_of_a_tone_is_its_amplitude_over_the_root_of_two():
    starts = np.arange(0, RATE, 441)
    np.testing.assert_allclose(
        rms(tone(1000, 1), starts, starts + 441), 0.5 / np.sqrt(2), rtol=0.01
    )


def test_level_is_the_plain_mean_in_every_interval(monkeypatch: pytest.MonkeyPatch):
    """Of integers too, whatever the memory allows to be squared at once."""
    sound = np.random.default_rng(0).integers(-(2**15), 2**15, 5000).astype(np.int16)
    starts = np.arange(-300, 5200, 110)
    pieces = [sound[max(start, 0) : max(start + 250, 0)].astype(float) for start in starts]
    expected = [np.sqrt(np.mean(piece**2)) if len(piece) else 0.0 for piece in pieces]
    np.testing.assert_array_equal(rms(sound, starts, starts + 250), expected)
    monkeypatch.setattr("training.sound_features.SAMPLES_AT_ONCE", 700)
    np.testing.assert_array_equal(rms(sound, starts, starts + 250), expected)


def test_spectrogram_of_a_tone_peaks_in_its_band():
    mel = 2595 * np.log10(1 + np.array([50, 440, 10_000]) / 700)
    band = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 33 - 1  # 32 bands have 34 edges
    settings = {"n_window": 1014, "n_bands": 32, "band": (50, 10_000), "reference": 1.0}
    found = log_mel(tone(440, 1), RATE, np.array([RATE / 2]), **settings)
    assert found[0].argmax() == pytest.approx(band, abs=0.6)


@pytest.mark.parametrize("rate", RATES_HZ[1:])
def test_modulation_octaves_show_the_rate_of_a_fluctuation(rate: tuple[int, int]):
    time = np.arange(3 * FRAMES_PER_SECOND) / FRAMES_PER_SECOND
    spectrogram = np.tile(np.sin(np.pi * sum(rate) * time)[:, None], (1, 32))
    power, centres = modulation_octaves(spectrogram, FRAMES_PER_SECOND, 25, **OCTAVES)
    assert power.shape == (9, N_CHANNELS)
    assert centres[0] == 0.5
    per_rate = N_CHANNELS // len(RATES_HZ)
    assert power[4].argmax() == RATES_HZ.index(rate) * per_rate  # the same in all bands


def test_modulation_octaves_tell_rising_from_falling_sweeps():
    time = np.arange(200)[:, None] / FRAMES_PER_SECOND
    band = np.arange(32) / 32
    sweeps = (np.sin(2 * np.pi * (6 * time - sign * 3 * band)) for sign in (1, -1))
    up, down = (modulation_octaves(sweep, 100, 25, **OCTAVES)[0][2] for sweep in sweeps)
    assert up.argmax() == down.argmax() + 1
    assert up.argmax() // 9 == down.argmax() // 9 == RATES_HZ.index((4, 8))


def test_too_short_a_spectrogram_is_refused():
    with pytest.raises(ValueError, match="needs 1 s of sound"):
        modulation_octaves(np.zeros((20, 32)), 100, 25, **OCTAVES)
