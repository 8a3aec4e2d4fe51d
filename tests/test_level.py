"""The level of sounds, and what embeddings make of it."""

import numpy as np
import pytest
import soundfile
import torch
from rounding import assert_same

from hear_brainsoundnet import get_scene_embeddings, get_timestamp_embeddings, load_model
from hear_brainsoundnet.audio import AudioFile, TensorSound
from hear_brainsoundnet.level import LONGEST_KEPT, READ_AT_ONCE, SILENCE, brought_to, gain_to

RATE = 22_050


def noise(n_sounds, n_samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n_sounds, n_samples, generator=generator)


def level_of(audio, rate=RATE):
    """Block by block, as the definition says it."""
    block = rate // 10
    powers = [
        np.sum(audio[start : start + block].astype(float) ** 2) / block
        for start in range(0, len(audio), block)
    ]
    return np.sqrt(np.average(powers, weights=powers))


@pytest.mark.parametrize("n_samples", [1, 2_204, 2_205, 30_000, READ_AT_ONCE + 12_345])
def test_the_gain_brings_the_level_of_the_definition(n_samples):
    audio = noise(2, n_samples) * torch.linspace(0.1, 1, n_samples)
    gains = gain_to(0.05, TensorSound(audio, RATE))
    assert gains.shape == (2, 1)
    expected = [0.05 / level_of(sound.numpy()) for sound in audio]
    np.testing.assert_allclose(gains[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_a_steady_sound_has_the_level_of_its_root_mean_square(rate):
    tone = 0.3 * torch.sin(2 * torch.pi * 1000 * torch.arange(2 * rate) / rate)[None]
    own = 0.05 / float(gain_to(0.05, TensorSound(tone, rate)))
    assert own == pytest.approx(0.3 / np.sqrt(2), rel=1e-3)


def test_silence_around_a_sound_does_not_count():
    audio = noise(1, 30_000)
    block = RATE // 10
    padded = torch.nn.functional.pad(audio, (3 * block, 50_001))
    gain = gain_to(0.05, TensorSound(audio, RATE))
    torch.testing.assert_close(gain_to(0.05, TensorSound(padded, RATE)), gain)


def test_silence_stays_silence_and_next_to_silence_stays_quiet():
    sounds = torch.stack([torch.zeros(5_000), torch.full((5_000,), SILENCE / 100)])
    louder = brought_to(0.05, sounds, RATE)
    assert not louder[0].any()
    assert float(louder[1].max()) == pytest.approx(0.05 / 100)


@pytest.fixture(scope="module")
def model():
    return load_model(sample_rate=RATE)


@pytest.mark.parametrize("gain", [1e-3, 0.3, 3.0])
def test_embeddings_of_the_default_do_not_depend_on_the_level(model, gain):
    audio = noise(2, 50_000)
    assert_same(get_scene_embeddings(audio * gain, model), get_scene_embeddings(audio, model))
    frames, _ = get_timestamp_embeddings(audio, model)
    assert_same(get_timestamp_embeddings(audio * gain, model)[0], frames)


def test_without_a_level_they_do():
    model = load_model(sample_rate=RATE, level=0)
    audio = noise(1, 50_000)
    scene = get_scene_embeddings(audio, model)
    difference = (get_scene_embeddings(audio / 10, model) - scene).abs().max()
    assert difference > 0.1 * scene.max()


def test_a_sound_at_the_level_already_is_left_as_it_is(model):
    audio = brought_to(model.level, noise(1, 50_000), RATE)
    as_it_is = load_model(sample_rate=RATE, level=0)
    assert_same(get_scene_embeddings(audio, model), get_scene_embeddings(audio, as_it_is))


def test_a_long_file_is_read_twice_and_equals_the_same_sound_in_memory(model, tmp_path):
    n_samples = LONGEST_KEPT + 100_000
    audio = noise(1, n_samples) * torch.linspace(0, 1, n_samples)
    soundfile.write(tmp_path / "long.wav", audio[0].numpy(), RATE, "FLOAT")
    expected = model.embed(TensorSound(audio, RATE))
    with AudioFile(tmp_path / "long.wav") as sound:
        found = model.embed(sound)
    assert torch.equal(found.scene, expected.scene)
    assert torch.equal(found.timestamps, expected.timestamps)


def test_a_gradient_comes_through_and_is_that_of_finite_differences(model):
    audio = noise(1, 6_000).double().requires_grad_()
    gain_to(0.05, TensorSound(audio, RATE)).sum().backward()
    step = torch.zeros_like(audio)
    step[0, 1_234] = 1e-3
    with torch.no_grad():
        two = [float(gain_to(0.05, TensorSound(audio + sign * step, RATE))) for sign in (1, -1)]
    assert float(audio.grad[0, 1_234]) == pytest.approx((two[0] - two[1]) / 2e-3, rel=0.02)
    silent = torch.zeros(1, 6_000, requires_grad=True)
    brought_to(0.05, silent, RATE).sum().backward()
    assert bool(silent.grad.isfinite().all())


@pytest.mark.parametrize("level", [-26, 1.5, float("nan"), "loud", True])
def test_a_level_outside_its_range_is_refused(level):
    with pytest.raises(ValueError, match="level must lie within 0"):
        load_model(level=level)
