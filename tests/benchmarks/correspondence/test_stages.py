"""Stages by hooks, of checkpoints, of HEAR modules, and at a level."""

import sys
import types

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.correspondence.hooks import HookedModule, Tap
from benchmarks.correspondence.models import AtLevel, HearStages, build_model
from benchmarks.correspondence.soundnet_stages import (
    SoundNetStages,
    permuted_checkpoint,
    permuted_tensors,
)
from benchmarks.correspondence.stages import activations_on, check_activations
from hear_brainsoundnet import get_scene_embeddings, load_checkpoint, load_model


class Network(nn.Module):
    """A convolution, an LSTM with a tuple of outputs, and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 8, stride=4)
        self.lstm = nn.LSTM(4, 3, batch_first=True)
        self.twice = nn.Linear(3, 3)
        self.unused = nn.Linear(1, 1)

    def forward(self, audio):
        frames = torch.relu_(self.conv(audio[:, None]))
        out, _ = self.lstm(frames.transpose(1, 2))
        return self.twice(self.twice(out))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network()


def hooked(network, **taps):
    return HookedModule(network, taps, sample_rate=16_000, name="net")


AUDIO = torch.randn(5, 160, generator=torch.Generator().manual_seed(1))


def test_activations_are_means_over_time_of_what_the_layer_gives(network):
    """Also where a later layer works in place on its output."""
    model = hooked(
        network,
        conv=Tap("conv"),
        lstm=Tap("lstm", time_axis=1, output=0),
        cell=Tap("lstm", time_axis=None, sound_axis=1, output=lambda outputs: outputs[1][1]),
    )
    model.batch_size = 2
    found = model.activations(AUDIO)
    with torch.no_grad():
        conv = network.conv(AUDIO[:, None])
        out, (_, cell) = network.lstm(conv.relu().transpose(1, 2))
    torch.testing.assert_close(found["conv"], conv.mean(dim=2))
    torch.testing.assert_close(found["lstm"], out.mean(dim=1))
    torch.testing.assert_close(found["cell"], cell[0])


def test_all_axes_but_sounds_and_time_are_units_in_their_order():
    module = nn.Conv2d(1, 2, (3, 1))
    model = HookedModule(
        module,
        {"all": Tap("")},
        sample_rate=8_000,
        name="m",
        prepare=lambda audio: audio.reshape(len(audio), 1, 8, 20),
    )
    with torch.no_grad():
        expected = module(AUDIO.reshape(5, 1, 8, 20)).mean(dim=3).flatten(1)
    torch.testing.assert_close(model.activations(AUDIO)["all"], expected)


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        (
            Tap("lstm", time_axis=1),
            r"gives a tuple of a tensor .*select a part with Tap\(output=...\)",
        ),
        (Tap("lstm", output=2), "which has no output 2"),
        (Tap("unused"), "was called 0 times in one forward pass"),
        (Tap("twice", time_axis=1), "was called 2 times in one forward pass"),
        (Tap("conv", time_axis=4), r"has no sounds along axis 0 and time along axis 4"),
        (Tap("conv", sound_axis=1), r"expected 5 sounds along axis 1"),
    ],
)
def test_outputs_that_do_not_fit_the_tap_are_refused(network, tap, message):
    with pytest.raises(ValueError, match=message):
        hooked(network, stage=tap).activations(AUDIO)
    assert not any(module._forward_hooks for module in network.modules())


def test_unknown_paths_and_times_are_refused(network):
    with pytest.raises(ValueError, match=r"net has no submodule 'conv9' for stage first"):
        hooked(network, first=Tap("conv9"))
    with pytest.raises(ValueError, match="the times of its frames are not known"):
        hooked(network, conv=Tap("conv")).frames(AUDIO[0], "conv")


def test_frames_are_at_the_declared_times():
    """A click comes out in the frame whose declared time is nearest to it."""
    module = nn.Conv1d(1, 1, 9, stride=4, bias=False)
    nn.init.constant_(module.weight, 1.0)
    with torch.no_grad():
        module.weight[0, 0, 4] = 5.0
    model = HookedModule(
        module,
        {"conv": Tap("", times=(4 / 1000, 4 / 1000))},
        sample_rate=1000,
        name="clicks",
        prepare=lambda audio: audio[:, None],
    )
    for click in (40, 84, 160):
        audio = torch.zeros(200)
        audio[click] = 1
        frames = model.frames(audio, "conv")
        assert float(frames.times_s[frames.values[:, 0].argmax()]) == pytest.approx(click / 1000)


def test_identity_changes_with_weights_and_taps(network):
    before = hooked(network, conv=Tap("conv")).identity
    assert hooked(network, conv=Tap("conv", time_axis=1)).identity != before
    assert hooked(network, conv=Tap("conv")).identity == before
    with torch.no_grad():
        network.conv.bias += 1
    assert hooked(network, conv=Tap("conv")).identity != before


def test_soundnet_frames_agree_with_its_mean_and_its_clicks(bell_checkpoint):
    model = SoundNetStages(bell_checkpoint)
    audio = torch.zeros(1, 6 * 22_050)
    audio[0, 66_150] = 1.0
    for stage in ("conv3", "conv5"):
        frames = model.frames(audio[0], stage)
        nearest = frames.times_s[(frames.times_s - 3.0).abs().argmin()]
        assert float(frames.times_s[frames.values.sum(dim=1).argmax()]) == float(nearest)
    assert set(model.activations(audio)) == set(model.stages)


def test_permuted_weights_are_the_same_numbers_elsewhere(untrained):
    permuted = permuted_checkpoint(untrained, seed=1)
    for name, tensor in untrained.tensors.items():
        assert torch.equal(permuted.tensors[name].flatten().sort()[0], tensor.flatten().sort()[0])
    assert not torch.equal(
        permuted.tensors["soundnet.conv2.conv.weight"],
        untrained.tensors["soundnet.conv2.conv.weight"],
    )
    statistics = [f"soundnet.conv2.norm.running_{kind}" for kind in ("mean", "var")]
    pairs, together = (
        sorted(zip(*(each.tensors[name].tolist() for name in statistics), strict=True))
        for each in (permuted, untrained)
    )
    assert pairs == together
    assert permuted_checkpoint(untrained, seed=2).hash != permuted.hash
    again = permuted_tensors(untrained.tensors, seed=1)
    assert all(torch.equal(again[name], permuted.tensors[name]) for name in again)


class Hear(nn.Module):
    sample_rate = 16_000
    scene_embedding_size = 3
    timestamp_embedding_size = 2


def hear_module(monkeypatch, scene_size=3, broken=None):
    module = types.ModuleType("made_up_hear")
    module.__file__ = __file__
    module.load_model = lambda path="": Hear()

    def scene(audio, model):
        table = torch.ones(len(audio), scene_size)
        if broken is not None:
            table[:, 1] = torch.where(audio[:, 0] > broken, torch.nan, 1.0)
        return table

    module.get_scene_embeddings = scene
    module.get_timestamp_embeddings = lambda audio, model: (
        torch.arange(8.0).reshape(1, 4, 2).repeat(len(audio), 1, 1),
        torch.arange(4.0).repeat(len(audio), 1) * 100,
    )
    monkeypatch.setitem(sys.modules, "made_up_hear", module)
    return HearStages("made_up_hear")


def test_hear_module_has_two_stages_and_times_in_seconds(monkeypatch):
    model = hear_module(monkeypatch)
    found = model.activations(torch.zeros(2, 100))
    assert found["timestamps"].tolist() == [[3.0, 4.0]] * 2
    assert found["scene"].shape == (2, 3)
    assert model.frames(torch.zeros(100), "timestamps").times_s.tolist() == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    with pytest.raises(ValueError, match="stage scene has no times"):
        model.frames(torch.zeros(100), "scene")


def test_a_module_of_other_sizes_than_declared_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"returned shape \(2, 4\) .* the model declares \(2, 3\)"):
        hear_module(monkeypatch, scene_size=4)


def test_embeddings_with_nan_name_the_sound_and_the_stage(monkeypatch):
    model = hear_module(monkeypatch, broken=0.5)
    levels = {"dog": 0.1, "bell": 0.9, "rain": 0.3}

    def read(name):
        return np.full(100, levels[name], dtype=np.float32), 16_000

    with pytest.raises(ValueError, match="stage scene: activations of sound bell are not finite"):
        activations_on(model, list(levels), read)


def test_missing_stages_and_wrong_shapes_are_refused(network):
    model = hooked(network, conv=Tap("conv"))
    with pytest.raises(ValueError, match="gave activations of other; make the two agree"):
        check_activations(model, {"other": torch.zeros(1, 1)}, ["a"])
    with pytest.raises(ValueError, match=r"\(2 sounds, n_units\), got \(1, 3\)"):
        check_activations(model, {"conv": torch.zeros(1, 3)}, ["a", "b"])


def test_sounds_of_any_length_and_rate_keep_their_order(untrained):
    model = SoundNetStages(untrained)
    generator = np.random.default_rng(0)
    sounds = {
        name: (generator.uniform(-0.5, 0.5, n).astype(np.float32), rate)
        for name, n, rate in (("a", 9000, 22_050), ("b", 8000, 16_000), ("c", 9000, 22_050))
    }
    together = activations_on(model, list(sounds), sounds.__getitem__)
    for i, name in enumerate(sounds):
        alone = activations_on(model, [name], sounds.__getitem__)
        np.testing.assert_allclose(together["conv5"][i], alone["conv5"][0], rtol=1e-4, atol=1e-5)


def test_kept_activations_are_read_back_and_never_for_other_weights(untrained, tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 9000).astype(np.float32)

    def read(_):
        return sound, 22_050

    def refuse(_):
        raise AssertionError("computed again")

    first = activations_on(SoundNetStages(untrained), ["a"], read, tmp_path)
    again = SoundNetStages(untrained)
    again.activations = refuse
    kept = activations_on(again, ["a"], read, tmp_path)
    assert list(kept) == list(first)
    np.testing.assert_array_equal(kept["conv7"], first["conv7"])
    permuted = activations_on(SoundNetStages(permuted_checkpoint(untrained)), ["a"], read, tmp_path)
    assert not np.array_equal(permuted["conv7"], first["conv7"])
    for file in tmp_path.glob("*.npz"):
        file.write_bytes(b"damaged")
    repaired = activations_on(SoundNetStages(untrained), ["a"], read, tmp_path)
    np.testing.assert_array_equal(repaired["conv7"], first["conv7"])


def test_models_are_found_by_name():
    assert build_model("permuted").name == "soundnet-distilled, weights permuted"
    assert build_model("benchmarks.hear.logmel").stages == ("timestamps", "scene")
    with pytest.raises(ValueError, match="no model 'no_such_model': there are soundnet, permuted"):
        build_model("no_such_model")
    with pytest.raises(ValueError, match="cochleagram has no weights, got 'x'"):
        build_model("cochleagram", "x")


LEVEL = 0.05


@pytest.fixture(scope="module")
def stages():
    return SoundNetStages(load_checkpoint("pretrained"))


@pytest.fixture(scope="module")
def noise(stages):
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(2, 2 * stages.sample_rate, generator=generator).clamp(-3, 3)


def test_time_averages_are_those_of_the_embedding_at_this_level(stages, noise):
    activations = AtLevel(stages, LEVEL).activations(noise)
    model = load_model(
        "pretrained", sample_rate=stages.sample_rate, scene="conv4+conv7", level=LEVEL
    )
    expected = get_scene_embeddings(noise, model)
    found = torch.cat([activations["conv4"], activations["conv7"]], dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    as_they_are = stages.activations(noise)["conv7"]
    assert not torch.allclose(as_they_are, activations["conv7"], rtol=0.1)


def test_loudness_makes_no_difference_to_time_averages_nor_to_frames(stages, noise):
    model = AtLevel(stages, LEVEL)
    loud, quiet = model.frames(noise[0], "conv5"), model.frames(noise[0] / 64, "conv5")
    torch.testing.assert_close(loud.values, quiet.values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loud.times_s, quiet.times_s)


def test_level_is_part_of_name_and_identity(stages):
    one, other = AtLevel(stages, 0.05), AtLevel(stages, 0.07)
    assert one.name == "soundnet-pretrained, level 0.05"
    assert len({stages.identity, one.identity, other.identity}) == 3


def test_no_level_is_refused(stages):
    with pytest.raises(ValueError, match="a level of 0 means no normalisation"):
        AtLevel(stages, 0)
