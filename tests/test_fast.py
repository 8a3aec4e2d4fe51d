"""The fast way gives what the plain network gives."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import assert_same

from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.soundnet import LAYERS, Head, Layer, SoundNet, stage_names


def random_network(seed: int) -> SoundNet:
    """Uneven statistics, factors of both signs."""
    generator = torch.Generator().manual_seed(seed)
    soundnet = SoundNet().eval().requires_grad_(False)
    for layer in LAYERS:
        norm = soundnet.block(layer.name).norm
        for tensor in (norm.weight, norm.bias, norm.get_buffer("running_mean")):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        variance = norm.get_buffer("running_var")
        variance.copy_(0.2 + torch.rand(variance.shape, generator=generator))
    return soundnet


@settings(deadline=None, max_examples=25)
@given(
    n_samples=st.integers(1, 40_000),
    n_sounds=st.integers(1, 3),
    asked=st.sets(st.sampled_from(stage_names()), min_size=1),
    seed=st.integers(0, 3),
)
def test_any_stages_of_any_length(
    n_samples: int, n_sounds: int, asked: set[str], seed: int
) -> None:
    soundnet = random_network(seed)
    audio = torch.randn(n_sounds, n_samples, generator=torch.Generator().manual_seed(n_samples))
    names = sorted(asked)
    try:
        expected = soundnet(audio, names)
    except RuntimeError:
        return  # too short for the deepest stage
    found = FastSoundNet(soundnet)(audio, names)
    assert list(found) == names
    for name in names:
        assert_same(found[name], expected[name], name)


@settings(deadline=None, max_examples=12)
@given(
    n_samples=st.integers(1, 150_000),
    rate=st.sampled_from([16_000, 22_050, 44_100, 48_000]),
    samples_per_pass=st.sampled_from([20_000, 50_000, 2**20]),
)
def test_embeddings_over_lengths_rates_and_pieces(
    untrained_once: Checkpoint, n_samples: int, rate: int, samples_per_pass: int
) -> None:
    audio = torch.rand(2, n_samples, generator=torch.Generator().manual_seed(n_samples)) - 0.5
    scene = "pool1:mean+conv2:max+conv4:mean,std+conv7:mean"
    both = [
        EmbeddingModel(
            untrained_once,
            sample_rate=rate,
            scene=scene,
            samples_per_pass=samples_per_pass,
            reference=reference,
        ).embed_tensor(audio)
        for reference in (False, True)
    ]
    for kind in ("scene", "timestamps", "timestamps_ms"):
        found, expected = (getattr(each, kind) for each in both)
        assert_same(found, expected, kind)


@pytest.fixture(scope="module")
def untrained_once() -> Checkpoint:
    from hear_brainsoundnet.checkpoint import load_checkpoint

    return load_checkpoint("untrained")


def test_changed_weights_are_noticed() -> None:
    soundnet = random_network(0)
    fast, audio = FastSoundNet(soundnet), torch.randn(1, 5000)
    before = fast(audio, ["pool1"])["pool1"]
    soundnet.conv1.norm.bias.add_(1.0)
    after = fast(audio, ["pool1"])["pool1"]
    assert not torch.equal(before, after)
    assert_same(after, soundnet(audio, ["pool1"])["pool1"], "pool1")


def test_a_copy_has_its_own_weights_and_doubles_work() -> None:
    fast = FastSoundNet(random_network(0))
    audio = torch.randn(1, 5000)
    fast(audio, ["pool1"])
    twin = copy.deepcopy(fast)
    twin.soundnet.double()
    found = twin(audio.double(), ["conv2"])["conv2"]
    torch.testing.assert_close(found, twin.soundnet(audio.double(), ["conv2"])["conv2"])


def test_gradients_of_the_audio_are_those_of_the_plain_network() -> None:
    soundnet = random_network(1).double()
    gradients = []
    for network in (FastSoundNet(soundnet), soundnet):
        audio = torch.randn(1, 3000, generator=torch.Generator().manual_seed(0)).double()
        audio.requires_grad_()
        network(audio, ["conv3"])["conv3"].square().sum().backward()
        assert audio.grad is not None
        gradients.append(audio.grad)
    torch.testing.assert_close(*gradients)


def test_fast_and_reference_have_the_same_state(untrained_once: Checkpoint) -> None:
    states = [EmbeddingModel(untrained_once, reference=each).state_dict() for each in (True, False)]
    assert states[0].keys() == states[1].keys()


@pytest.mark.parametrize("known", ["pool1", "conv2", "conv3", "conv5", "pool5"])
def test_any_stage_can_be_continued_from(known: str) -> None:
    soundnet, audio = random_network(2), torch.randn(2, 30_000)
    names = stage_names()[stage_names().index(known) :]
    expected = soundnet(audio, names)
    found = FastSoundNet(soundnet).continue_from(known, expected[known], names)
    assert list(found) == list(names)
    for name in names:
        assert_same(found[name], expected[name], name)


def test_other_tables_and_heads() -> None:
    torch.manual_seed(0)
    layers = [
        Layer("conv1", kernel=5, stride=1, padding=1, channels=3),
        Layer("conv2", kernel=4, stride=3, padding=0, channels=5, pool=3),
        Layer("conv3", kernel=7, stride=2, padding=3, channels=4, pool=2),
    ]
    soundnet = SoundNet(layers, [Head("kinds", kernel=2, stride=1, channels=6)]).eval()
    audio = torch.randn(3, 200)
    names = ["kinds", *stage_names(layers)]
    with torch.no_grad():
        expected, found = soundnet(audio, names), FastSoundNet(soundnet)(audio, names)
    assert list(found) == names
    for name in names:
        assert_same(found[name], expected[name], name)


@pytest.mark.parametrize(("stage", "n_samples"), [("pool1", 13), ("pool2", 221), ("pool5", 4573)])
def test_too_little_sound_is_refused(stage: str, n_samples: int) -> None:
    fast = FastSoundNet(SoundNet().eval())
    assert fast(torch.zeros(1, n_samples + 1), [stage])[stage].shape[2] == 1
    with pytest.raises(ValueError, match=f"{stage} needs more|{stage.replace('pool', 'conv')}"):
        fast(torch.zeros(1, n_samples), [stage])
