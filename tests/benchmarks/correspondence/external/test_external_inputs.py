"""What the networks are given, against librosa, scipy, torchaudio and brute force."""

import numpy as np
import pytest
import scipy.signal
import torch

from benchmarks.correspondence.external import dcase2020, deepspeech2, vggish, vq_vae
from benchmarks.correspondence.external.cochdnn import CochleagramInput, SameConv2d, SamePool
from benchmarks.correspondence.external.overview import NETWORKS

pytestmark = pytest.mark.slow


def sound(n_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32)


def test_captioning_input_is_that_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    audio = sound(44_100)
    mel = librosa.feature.melspectrogram(
        y=audio / np.abs(audio).max(),
        sr=44_100,
        n_fft=1024,
        hop_length=512,
        n_mels=64,
        power=1,
        pad_mode="reflect",
    )
    expected = np.log(mel + np.finfo(float).eps).T
    np.testing.assert_allclose(
        dcase2020.log_mel(torch.from_numpy(audio)[None])[0], expected, atol=1e-4
    )


def test_vq_vae_input_is_that_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    audio = sound(16_000)
    audio[5000:9000] *= 1e-6  # quiet enough for the cut at 80 dB
    scaled = audio / np.abs(audio).max() * 0.999
    mel = librosa.feature.melspectrogram(
        y=scipy.signal.lfilter([1, -0.97], [1], scaled),
        sr=16_000,
        n_fft=2048,
        win_length=400,
        hop_length=160,
        n_mels=80,
        fmin=50,
        power=1,
        pad_mode="reflect",
    )
    expected = librosa.amplitude_to_db(mel, top_db=80) / 80 + 1
    found = vq_vae.log_mel(torch.from_numpy(audio)[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert float(found.max() - found.min()) == pytest.approx(1.0, abs=1e-5)


def test_deepspeech_input_is_that_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    audio = sound(16_000)
    spectrum = librosa.stft(audio, n_fft=320, hop_length=160, window="hamming", pad_mode="reflect")
    values = np.log1p(np.abs(spectrum))
    expected = (values - values.mean()) / values.std(ddof=1)
    found = deepspeech2.log_spectrogram(torch.from_numpy(audio)[None])[0, 0]
    # librosa mirrors a piece of the sound at its end that is one sample too short, which touches
    # the last frame.
    np.testing.assert_allclose(found[:, :-1], expected[:, :-1], atol=1e-4)


def test_vggish_filters_are_triangles_on_the_mel_axis() -> None:
    def mel(hz: float) -> float:
        return 1127.0 * np.log(1.0 + hz / 700.0)

    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    expected = np.zeros((257, 64))
    for number in range(1, 257):
        place = mel(number * 16_000 / 512)
        for band in range(64):
            left, middle, right = edges[band : band + 3]
            rising, falling = (place - left) / (middle - left), (right - place) / (right - middle)
            expected[number, band] = max(0.0, min(rising, falling))
    np.testing.assert_allclose(vggish.mel_filters(), expected, atol=1e-6)


def test_vggish_patches_are_those_of_a_spectrogram() -> None:
    audio = sound(32_000)
    frequencies, _, spectrogram = scipy.signal.spectrogram(
        audio, 16_000, "hann", 400, 240, 512, detrend=False, scaling="spectrum", mode="magnitude"
    )
    window_sum = scipy.signal.get_window("hann", 400).sum()  # the scaling that scipy applies
    mel = (spectrogram * window_sum).T @ vggish.mel_filters().numpy()
    expected = np.log(mel + 0.01)
    patches = vggish.log_mel_patches(torch.from_numpy(audio)[None])
    assert len(frequencies) == 257
    assert patches.shape == (2, 1, 96, 64)
    np.testing.assert_allclose(patches.reshape(192, 64), expected[:192], atol=1e-4)


def test_ast_input_is_normalised_as_it_was_trained() -> None:
    row = NETWORKS["AST"]
    if reason := row.missing():
        pytest.skip(reason)
    import torchaudio

    audio = torch.from_numpy(sound(32_000))[None]
    fbank = torchaudio.compliance.kaldi.fbank(
        audio,
        htk_compat=True,
        sample_frequency=16_000,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=128,
        dither=0.0,
    )
    padded = torch.nn.functional.pad(fbank, (0, 0, 0, 1024 - len(fbank)))
    expected = (padded + 4.2677393) / (4.5689974 * 2)
    with torch.device("meta"):  # the input needs no weights
        network = row.build(None)
    torch.testing.assert_close(network.prepare(audio)[0], expected, rtol=0, atol=1e-4)


def test_cochleagram_input_is_the_sampled_hilbert_envelope() -> None:
    """A slowly modulated tone: half its envelope, summed over what each filter passes."""
    times = np.arange(40_000) / 20_000
    envelope = 1 + 0.5 * np.sin(2 * np.pi * 3 * times)
    tone = 0.1 * envelope * np.sin(2 * np.pi * 1000 * times)
    cochleagram = CochleagramInput()
    values = cochleagram(torch.from_numpy(tone).float()[None])[0, 0].numpy()
    assert values.shape == (211, 390)
    loudest = int(values.mean(axis=1).argmax())
    gain = float(cochleagram.filters[loudest, 2000])  # bin 2000 is 1000 Hz
    at = (500.5 + 100 * np.arange(390)) / 20_000
    expected = (0.5 * gain * np.interp(at, times, 0.1 * envelope)) ** 0.3
    np.testing.assert_allclose(values[loudest], expected, rtol=5e-3)


def test_convolution_pads_like_same_and_strides_to_the_ceiling() -> None:
    values = torch.randn(1, 2, 9, 13, generator=torch.Generator().manual_seed(0))
    unstrided = SameConv2d(2, 3, (2, 5), 1)
    padded = torch.nn.functional.pad(values, (2, 2, 0, 1))  # frames, then frequencies
    expected = torch.nn.functional.conv2d(padded, unstrided.weight)
    torch.testing.assert_close(unstrided(values), expected)
    assert SameConv2d(2, 3, (7, 14), 3)(torch.zeros(1, 2, 211, 390)).shape[2:] == (71, 130)
    assert SamePool("max")(torch.zeros(1, 2, 71, 130)).shape[2:] == (36, 65)


def test_mean_pooling_counts_the_padding() -> None:
    pooled = SamePool("mean")(torch.ones(1, 1, 3, 5))
    # Frequency: 3 and one zero after; frames: five with two zeros before and after.
    expected = torch.outer(torch.tensor([1.0, 0.5]), torch.tensor([3.0, 5.0, 3.0]) / 5)
    torch.testing.assert_close(pooled[0, 0], expected)
