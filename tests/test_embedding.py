"""The contract that every checkpoint, preset, sample rate and kind of embedding fulfils."""

import json
import subprocess
import sys

import pytest
import torch
from checkpoints_in_memory import checkpoint_of
from rounding import assert_same

import hear_brainsoundnet
from hear_brainsoundnet.api import HEAR_SAMPLE_RATES, get_scene_embeddings, get_timestamp_embeddings
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.soundnet import HEADS, SoundNet

MADE_HERE = ("untrained", "bell", "loud with heads")
EXPRESSIONS = {"scene": "conv1:max+pool5:mean,std+conv7", "timestamps": "conv3+pool5+conv7"}


@pytest.fixture(scope="session")
def checkpoints(untrained, bell_checkpoint):
    torch.manual_seed(0)
    loud = checkpoint_of(SoundNet(heads=HEADS), input_scale=256.0, heads=HEADS)
    return {"untrained": untrained, "bell": bell_checkpoint, "loud with heads": loud}


def pytest_generate_tests(metafunc):
    """The checkpoints made here and those of the option --checkpoint."""
    if "checkpoint" in metafunc.fixturenames:
        files = metafunc.config.getoption("checkpoint")
        metafunc.parametrize("checkpoint", [*MADE_HERE, *files], indirect=True)


@pytest.fixture
def checkpoint(request, checkpoints):
    if request.param in MADE_HERE:
        return checkpoints[request.param]
    return load_checkpoint(request.param)


@pytest.fixture(params=[*PRESETS, "expressions"])
def options(request):
    return EXPRESSIONS if request.param == "expressions" else {"preset": request.param}


def noise(n_sounds, n_samples, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n_sounds, n_samples, generator=generator) * 2 - 1


@pytest.mark.parametrize("sample_rate", HEAR_SAMPLE_RATES)
def test_shapes_types_and_labels_at_every_rate(untrained, options, sample_rate):
    model = EmbeddingModel(untrained, sample_rate=sample_rate, **options)
    for seconds in (1 / sample_rate, 0.1, 1.07, 2.74):
        check_shapes_types_and_labels(model, noise(2, round(seconds * sample_rate)))


def test_shapes_types_and_labels_of_every_checkpoint(checkpoint, options):
    check_shapes_types_and_labels(EmbeddingModel(checkpoint, **options), noise(2, 100_000))


def check_shapes_types_and_labels(model, audio):
    scene = get_scene_embeddings(audio, model)
    assert scene.shape == (2, model.scene_embedding_size)
    assert scene.dtype == torch.float32
    frames, milliseconds = get_timestamp_embeddings(audio, model)
    assert frames.shape == (2, milliseconds.shape[1], model.timestamp_embedding_size)
    assert milliseconds.shape[0] == 2
    assert frames.dtype == milliseconds.dtype == torch.float32
    assert bool(torch.equal(milliseconds[0], milliseconds[1]))
    duration_ms = 1000 * audio.shape[1] / model.sample_rate
    hop_ms = model.grid.hop * 1000 / 22050
    labels = milliseconds[0].double()
    if duration_ms <= hop_ms:
        return
    torch.testing.assert_close(
        labels.diff(), torch.full_like(labels[1:], hop_ms), atol=1e-3, rtol=0
    )
    assert 0 <= labels[0] <= hop_ms
    assert duration_ms - hop_ms <= labels[-1] + 1e-3
    assert labels[-1] < duration_ms


def test_same_alone_in_any_batch_in_any_order_and_on_repeat(checkpoint, options):
    model = EmbeddingModel(checkpoint, sample_rate=32_000, **options)
    audio = noise(5, 40_000)
    audio[1] *= 0.001
    audio[3] = 0
    order = torch.tensor([3, 0, 4, 1, 2])
    scene = get_scene_embeddings(audio, model)
    frames, _ = get_timestamp_embeddings(audio, model)
    torch.testing.assert_close(get_scene_embeddings(audio, model), scene, rtol=0, atol=0)
    assert_same(get_scene_embeddings(audio[order], model), scene[order])
    assert_same(get_timestamp_embeddings(audio[order], model)[0], frames[order])
    for i in range(5):
        assert_same(get_scene_embeddings(audio[i : i + 1], model), scene[i : i + 1])
        assert_same(get_timestamp_embeddings(audio[i : i + 1], model)[0], frames[i : i + 1])


def test_many_short_sounds_equal_each_alone(untrained):
    model = EmbeddingModel(untrained, sample_rate=22_050, samples_per_pass=60_000)
    audio = noise(20, 22_050)
    expected = torch.cat([get_scene_embeddings(x[None], model) for x in audio])
    assert_same(get_scene_embeddings(audio, model), expected)


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_segments_equal_the_whole_clip(checkpoint, options, sample_rate):
    audio = noise(1, 11 * sample_rate + 17) * torch.linspace(0, 1, 11 * sample_rate + 17)
    whole = EmbeddingModel(checkpoint, sample_rate=sample_rate, **options)
    parts = EmbeddingModel(checkpoint, sample_rate=sample_rate, samples_per_pass=40_000, **options)
    assert_same(get_scene_embeddings(audio, parts), get_scene_embeddings(audio, whole))
    for actual, expected in zip(
        get_timestamp_embeddings(audio, parts), get_timestamp_embeddings(audio, whole), strict=True
    ):
        assert_same(actual, expected)


def test_both_kinds_at_once_equal_each_alone(checkpoint, options):
    model = EmbeddingModel(checkpoint, sample_rate=48_000, **options)
    audio = noise(2, 30_000)
    both = model.embed_tensor(audio)
    assert_same(both.scene, get_scene_embeddings(audio, model))
    assert_same(both.timestamps, get_timestamp_embeddings(audio, model)[0])


def test_silence_after_a_clip_leaves_earlier_frames_alone(checkpoint):
    model = EmbeddingModel(checkpoint, sample_rate=22_050, timestamps="conv4+conv5", level=0)
    audio = noise(1, 40_000)
    frames, milliseconds = get_timestamp_embeddings(audio, model)
    padded = torch.cat([audio, torch.zeros(1, 30_000)], dim=1)
    frames_padded, milliseconds_padded = get_timestamp_embeddings(padded, model)
    # A frame between two conv5 frames is right if the later one ends before the clip does.
    conv5 = model.stages["conv5"]
    n_right = sum(conv5.field_stop(k + 1) <= 40_000 for k in range(milliseconds.shape[1]))
    last = (n_right - 1) * conv5.hop + conv5.centre
    unchanged = milliseconds[0] < last * 1000 / 22_050
    assert unchanged.sum() > 20
    n = int(unchanged.sum())
    assert_same(frames_padded[:, :n], frames[:, :n])
    assert torch.equal(milliseconds_padded[:, : milliseconds.shape[1]], milliseconds)


def test_input_scale_multiplies_the_audio(untrained):
    quiet = checkpoint_of(untrained.build_soundnet(), input_scale=8.0)
    audio = noise(1, 20_000) / 8
    assert_same(
        get_scene_embeddings(audio, EmbeddingModel(quiet, level=0)),
        get_scene_embeddings(audio * 8, EmbeddingModel(untrained, level=0)),
    )


def test_scene_of_the_paper_preset_is_the_mean_of_conv7(untrained):
    audio = noise(2, 90_000)
    frames = untrained.build_soundnet()(audio, ["conv7"])["conv7"]
    model = EmbeddingModel(untrained, sample_rate=22_050, preset="paper")
    assert_same(get_scene_embeddings(audio, model), frames.mean(dim=2).detach())


def test_slower_stages_are_interpolated_to_the_time_grid(untrained):
    model = EmbeddingModel(untrained, sample_rate=22_050, timestamps="conv4+conv7", level=0)
    audio = noise(1, 300_000)
    stages = untrained.build_soundnet()(audio, ["conv4", "conv7"])
    frames, _ = get_timestamp_embeddings(audio, model)
    # Centres are known: of conv4 frame 250, and of the two conv7 frames around it.
    time = 250 * 1024 - 273.5
    left = int((time + 10001.5) // 32768)
    weight = (time + 10001.5) / 32768 - left
    conv7 = stages["conv7"][0, :, left] * (1 - weight) + stages["conv7"][0, :, left + 1] * weight
    assert_same(frames[0, 249, 128:], conv7.detach())  # frame 0 lies before the sound
    assert_same(frames[0, 200, :128], stages["conv4"][0, :, 201].detach())


def test_float64_audio_and_float64_model_are_accepted(untrained):
    audio = noise(1, 20_000)
    expected = get_scene_embeddings(audio, EmbeddingModel(untrained))
    assert_same(get_scene_embeddings(audio.double(), EmbeddingModel(untrained)), expected)
    double = EmbeddingModel(untrained).double()
    torch.testing.assert_close(get_scene_embeddings(audio, double), expected, rtol=1e-3, atol=1e-4)


def test_nan_far_into_a_long_clip_is_found(untrained):
    model = EmbeddingModel(untrained, sample_rate=22_050, samples_per_pass=100_000)
    audio = noise(1, 500_000)
    audio[0, 499_999] = float("nan")
    with pytest.raises(ValueError, match="got NaN"):
        get_scene_embeddings(audio, model)


@pytest.mark.parametrize("sample_rate", [8_000, 96_000, 0, None, "48000"])
def test_sample_rate_that_hear_does_not_allow(sample_rate):
    with pytest.raises(ValueError, match=r"one of 16000, 22050, 32000, 44100, 48000 Hz"):
        hear_brainsoundnet.load_model(sample_rate=sample_rate)


LONG_RUN = """
import json, resource, sys, torch
from hear_brainsoundnet import load_model
seconds, preset = float(sys.argv[1]), sys.argv[2]

class Click:
    '''Silence with one click, made when it is read.'''
    sample_rate, n_sounds = 48_000, 1
    def __init__(self, seconds, click):
        self.n_samples, self.click = int(seconds * self.sample_rate), int(click * self.sample_rate)
    def read(self, start, stop):
        audio = torch.zeros(1, stop - start)
        if start <= self.click < stop:
            audio[0, self.click - start] = 1
        return audio
    def rewind(self):
        pass

model = load_model(preset=preset)
model.embed(Click(60.0, 30.0))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
click = seconds - 10.2345
embeddings = model.embed(Click(seconds, click))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
change = (embeddings.timestamps[0] - embeddings.timestamps[0, 1000]).norm(dim=1) ** 2
change[:10] = change[-10:] = 0  # these see the edges of the clip
times = embeddings.timestamps_ms[0].double()
print(json.dumps({
    "mib": (after - before) / 1024, "n": len(times), "click_ms": 1000 * click,
    "centroid_ms": float((times * change).sum() / change.sum()), "last_ms": float(times[-1]),
}))
"""


@pytest.mark.slow
def test_two_hours_take_little_memory_and_do_not_drift():
    run = subprocess.run(
        [sys.executable, "-c", LONG_RUN, "7200", "paper"],
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(run.stdout)
    hop_ms = 1024 * 1000 / 22050
    assert result["mib"] < 400
    assert 7_200_000 - hop_ms <= result["last_ms"] < 7_200_000
    assert abs(result["centroid_ms"] - result["click_ms"]) < hop_ms / 2
