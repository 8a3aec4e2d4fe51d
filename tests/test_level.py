"""The level of sounds, moment by moment, and what embeddings make of it."""

import numpy as np
import pytest
import soundfile
import torch
from rounding import assert_same, largest_difference

from hear_brainsoundnet import (
    get_scene_embeddings,
    get_timestamp_embeddings,
    load_model,
    resampling,
)
from hear_brainsoundnet.audio import AudioFile, TensorSound
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.level import SILENCE, WINDOW_S, brought_to, samples_around

RATE = 22_050
REACH = int((WINDOW_S / 2 + 0.02) * RATE)  # half a window and the width of two blocks


def noise(n_sounds, n_samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n_sounds, n_samples, generator=generator)


def brought_by_hand(level, audio, rate):
    """Block by block, as the definition says it, in float64."""
    block = rate // 80
    half = round(WINDOW_S / 2 * 80)
    window = np.hanning(2 * half + 3)[1:-1]
    blocks = [audio[i : i + block].astype(float) for i in range(0, len(audio), block)]
    energies = [np.sum(each**2) for each in blocks]
    gains = []
    for middle in range(len(blocks)):
        energy = n_samples = 0.0
        for offset in range(-half, half + 1):
            if 0 <= middle + offset < len(blocks):
                energy += window[offset + half] * energies[middle + offset]
                n_samples += window[offset + half] * len(blocks[middle + offset])
        gains.append(level / max(np.sqrt(energy / n_samples), SILENCE))
    middles = np.arange(len(blocks)) * block + (block - 1) / 2
    return audio * np.interp(np.arange(len(audio)), middles, gains)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("n_samples", [1, 274, 275, 276, 600, 30_000, 123_456])
def test_gains_are_those_of_the_definition(n_samples, rate):
    audio = noise(2, n_samples) * torch.linspace(0.001, 1, n_samples).square()
    audio[1, n_samples // 2 :] = 0
    found = brought_to(0.05, audio, rate).numpy()
    expected = np.stack([brought_by_hand(0.05, sound.numpy(), rate) for sound in audio])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_a_steady_sound_has_the_level_throughout(rate):
    tone = 0.3 * torch.sin(2 * torch.pi * 1000 * torch.arange(5 * rate) / rate)[None]
    tenths = brought_to(0.05, tone, rate).unflatten(1, (50, -1)).square().mean(2).sqrt()
    torch.testing.assert_close(tenths, torch.full_like(tenths, 0.05), rtol=2e-3, atol=0)


def test_a_quiet_part_is_as_loud_as_a_loud_one():
    audio = noise(1, 10 * RATE)
    steps = audio.clone()
    steps[:, 5 * RATE :] /= 100
    far = torch.cat([torch.arange(3 * RATE), torch.arange(7 * RATE + 500, 10 * RATE)])
    flat = brought_to(0.05, audio, RATE)[:, far]
    torch.testing.assert_close(brought_to(0.05, steps, RATE)[:, far], flat, rtol=1e-4, atol=1e-6)


def test_silence_stays_silence_and_next_to_silence_stays_quiet():
    sounds = torch.stack([torch.zeros(5_000), torch.full((5_000,), SILENCE / 100)])
    louder = brought_to(0.05, sounds, RATE)
    assert not louder[0].any()
    assert float(louder[1].max()) == pytest.approx(0.05 / 100)


def test_digital_silence_longer_than_the_window_is_no_louder_than_in_a_silent_sound():
    audio = torch.full((1, 10 * RATE), SILENCE / 100)
    audio[:, :RATE] = noise(1, RATE)
    louder = brought_to(0.05, audio, RATE)
    assert float(louder[:, RATE + REACH + 1 :].max()) == pytest.approx(0.05 / 100)
    assert float(louder[:, RATE : 2 * RATE].max()) < 0.05 / 1000


@pytest.mark.parametrize(("rate", "sample"), [(22_050, 100_000), (22_050, 3), (16_000, 99_999)])
def test_a_sample_depends_on_the_window_around_it_and_on_nothing_else(rate, sample):
    """The outermost samples of the window change a sample, those next to them change no bit."""
    n_samples = 200_000
    audio = 0.1 * torch.ones(1, n_samples, dtype=torch.float64)
    first, last = samples_around(sample, sample + 1, rate)
    assert last - sample < (WINDOW_S / 2 + 0.02) * rate
    before = brought_to(0.05, audio, rate)[0, sample]

    def changes(other):
        louder = audio.clone()
        louder[0, other] = 1e6
        return bool(brought_to(0.05, louder, rate)[0, sample] != before)

    assert changes(last - 1)
    assert not changes(last)
    assert not changes(n_samples - 1)
    if first:
        assert changes(first)
        assert not changes(first - 1)
        assert not changes(0)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5_000, 60_000), (90_000, 150_000)])
def test_a_piece_of_a_sound_has_the_gains_of_the_whole(start, stop):
    audio = noise(2, 150_000) * torch.linspace(0.01, 1, 150_000)
    first, last = samples_around(start, stop, RATE)
    piece = brought_to(0.05, audio[:, first:last], RATE, n_samples=150_000 - first)
    whole = brought_to(0.05, audio, RATE)
    found = piece[:, start - first : stop - first]
    torch.testing.assert_close(found, whole[:, start:stop], rtol=1e-6, atol=0)


@pytest.fixture(scope="module")
def model():
    return load_model(sample_rate=RATE)


@pytest.mark.parametrize("gain", [1e-3, 0.1, 3.0])
def test_embeddings_of_the_default_do_not_depend_on_the_level(model, gain):
    audio = noise(2, 50_000)
    assert_same(get_scene_embeddings(audio * gain, model), get_scene_embeddings(audio, model))
    frames, _ = get_timestamp_embeddings(audio, model)
    assert_same(get_timestamp_embeddings(audio * gain, model)[0], frames)


def test_embeddings_without_a_level_depend_on_the_level():
    model = load_model(sample_rate=RATE, level=0)
    audio = noise(1, 50_000)
    scene = get_scene_embeddings(audio, model)
    difference = (get_scene_embeddings(audio / 10, model) - scene).abs().max()
    assert difference > 0.1 * scene.max()


def test_a_clip_already_at_the_level_has_the_embedding_without_a_level(model):
    audio = noise(1, 90_000) * torch.linspace(0.1, 1, 90_000)
    as_it_is = load_model(sample_rate=RATE, level=0)
    expected = get_scene_embeddings(brought_to(model.level, audio, RATE), as_it_is)
    assert_same(get_scene_embeddings(audio, model), expected)


def test_a_single_sample_and_silence(model):
    """One sample comes at the level, whatever it was; silence is what it is without a level."""
    one = get_scene_embeddings(torch.tensor([[0.5]]), model)
    assert_same(get_scene_embeddings(torch.tensor([[0.001]]), model), one)
    as_it_is = load_model(sample_rate=RATE, level=0)
    assert_same(one, get_scene_embeddings(torch.tensor([[model.level]]), as_it_is))
    silence = torch.zeros(1, 50_000)
    assert torch.equal(
        get_scene_embeddings(silence, model), get_scene_embeddings(silence, as_it_is)
    )


@pytest.fixture(scope="module", params=[2**21, 150_000], ids=["whole", "in segments"])
def framewise(request, untrained):
    return EmbeddingModel(
        untrained,
        sample_rate=RATE,
        timestamps="conv4+conv7",
        level=0.07,
        samples_per_pass=request.param,
    )


def field_of(model, frame):
    """Samples that a frame of a model may depend on; conv7 is interpolated between two."""
    conv7, centre = model.stages["conv7"], model.grid.centre + frame * model.grid.hop
    left = int((centre - conv7.centre) // conv7.hop)
    start = samples_around(max(0, conv7.field_start(left)), 1, RATE)[0]
    return start, samples_around(0, conv7.field_stop(left + 1), RATE)[1]


def test_a_click_ten_seconds_away_changes_no_frame(framewise):
    audio = noise(1, 25 * RATE) / 10
    click = 15 * RATE
    clicked = audio.clone()
    clicked[0, click] = 1
    before, milliseconds = get_timestamp_embeddings(audio, framewise)
    after, _ = get_timestamp_embeddings(clicked, framewise)
    moved = (before != after).any(dim=2)[0]
    distance = (milliseconds[0] / 1000 - 15).abs()
    assert not moved[distance > 10 - 1e-3].any()
    assert moved[distance < 0.1].all()
    for frame in moved.nonzero()[:, 0].tolist():
        start, stop = field_of(framewise, frame + 1)  # frame 0 lies before the sound
        assert start <= click < stop
    # Four seconds away the level has changed nothing, the field of conv7 is as far as that.
    assert not moved[distance > 2.1 + 2.1 + 1.5].any()


def test_a_cut_beyond_the_window_and_the_field_changes_no_frame(framewise):
    audio = noise(1, 25 * RATE) * torch.linspace(0.05, 1, 25 * RATE)
    frames, _ = get_timestamp_embeddings(audio, framewise)
    n_cut = 4 * 32_768  # frames of all stages fall on those of the whole
    piece, _ = get_timestamp_embeddings(audio[:, n_cut : 20 * RATE], framewise)
    n_skipped = n_cut // 1024
    far = []
    for frame in range(piece.shape[1]):
        start, stop = field_of(framewise, frame + n_skipped + 1)
        if n_cut <= start and stop <= 20 * RATE:
            far.append(largest_difference(piece[0, frame], frames[0, frame + n_skipped]))
    assert len(far) > 50
    assert max(far) < 2e-4  # not a rounding: the blocks of the level begin with the sound
    assert largest_difference(piece[0, 5], frames[0, 5 + n_skipped]) > 100 * max(far)


def test_the_gradient_of_a_frame_ends_where_its_window_ends(untrained):
    model = EmbeddingModel(untrained, sample_rate=RATE, timestamps="conv4", level=0.07)
    audio = noise(1, 200_000).requires_grad_()
    frames, _ = get_timestamp_embeddings(audio, model)
    frames[0, 99].norm().backward()  # frame 100 of the network
    conv4 = model.stages["conv4"]
    first, last = samples_around(conv4.field_start(100), conv4.field_stop(100), RATE)
    samples = audio.grad[0].nonzero()[:, 0]
    assert first <= samples.min() < first + 300
    assert last - 300 <= samples.max() < last
    assert audio.grad[0, first:last].count_nonzero() > 0.99 * (last - first)


@pytest.mark.parametrize(("rate", "level"), [(22_050, 0.07), (96_000, 0.07), (96_000, 0)])
def test_a_file_read_in_segments_equals_the_sound_in_memory(
    untrained, tmp_path, monkeypatch, rate, level
):
    """At high rates the inputs of a segment are read in several pieces, front to back as well."""
    audio = noise(1, 8 * rate) * torch.linspace(0, 1, 8 * rate)
    audio[0, 3 * rate : 6 * rate] = 0
    soundfile.write(tmp_path / "long.wav", audio[0].numpy(), rate, "FLOAT")
    options = {"scene": "conv4+conv7", "timestamps": "conv3+conv4", "level": level}
    expected = EmbeddingModel(untrained, **options).embed(TensorSound(audio, rate))
    monkeypatch.setattr(resampling, "MOST_INPUTS", 40_000)
    for samples_per_pass in (150_000, 1):
        parts = EmbeddingModel(untrained, samples_per_pass=samples_per_pass, **options)
        with AudioFile(tmp_path / "long.wav") as sound:
            found = parts.embed(sound)
        for kind in ("scene", "timestamps"):
            mine, other = getattr(found, kind), getattr(expected, kind)
            assert float((mine - other).abs().max()) < 1e-5 * float(other.max() - other.min())


def test_a_gradient_comes_through_and_is_that_of_finite_differences():
    audio = noise(1, 6_000).double().requires_grad_()
    weights = noise(1, 6_000, seed=1).double()
    (weights * brought_to(0.05, audio, RATE)).sum().backward()
    step = torch.zeros_like(audio)
    step[0, 1_234] = 1e-5
    with torch.no_grad():
        two = [
            float((weights * brought_to(0.05, audio + sign * step, RATE)).sum()) for sign in (1, -1)
        ]
    assert float(audio.grad[0, 1_234]) == pytest.approx((two[0] - two[1]) / 2e-5, rel=1e-4)
    silent = torch.zeros(1, 6_000, requires_grad=True)
    brought_to(0.05, silent, RATE).sum().backward()
    assert bool(silent.grad.isfinite().all())


@pytest.mark.parametrize("level", [-26, 1.5, float("nan"), "loud", True])
def test_a_level_outside_its_range_is_refused(level):
    with pytest.raises(ValueError, match="level must lie within 0"):
        load_model(level=level)
