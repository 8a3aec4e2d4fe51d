import pytest
import torch
import torch.nn.functional as F

from hear_brainsoundnet.soundnet import HEADS, LAYERS, SoundNet, stage_names


def test_conv1_to_conv7_have_the_published_number_of_parameters():
    assert sum(p.numel() for p in SoundNet().parameters()) == 2_874_320


def test_every_stage_equals_the_layers_written_out_by_hand():
    torch.manual_seed(0)
    soundnet = SoundNet(heads=HEADS).eval()
    for module in soundnet.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    audio = torch.randn(2, 22050 * 12)
    state = soundnet.state_dict()
    x = audio[:, None]
    expected = {}
    for number, (kernel_padding, pool) in enumerate(
        [(32, 8), (16, 8), (8, 0), (4, 0), (2, 4), (2, 0), (2, 0)], start=1
    ):
        name = f"conv{number}"
        x = F.conv1d(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"], 2, kernel_padding)
        mean, variance = state[f"{name}.norm.running_mean"], state[f"{name}.norm.running_var"]
        x = (x - mean[:, None]) / torch.sqrt(variance[:, None] + 1e-5)
        x = x * state[f"{name}.norm.weight"][:, None] + state[f"{name}.norm.bias"][:, None]
        x = x.clamp(min=0)
        expected[name] = x
        if pool:
            x = x.unfold(2, pool, pool).amax(dim=3)
            expected[f"pool{number}"] = x
    for head in ("objects", "scenes"):
        expected[head] = F.conv1d(
            x, state[f"heads.{head}.weight"], state[f"heads.{head}.bias"], stride=2
        )
    actual = soundnet(audio, expected)
    assert set(actual) == {*stage_names(), "objects", "scenes"}
    for name, frames in expected.items():
        torch.testing.assert_close(actual[name], frames, rtol=1e-4, atol=1e-5)


def test_nothing_above_the_deepest_wanted_stage_is_computed():
    soundnet = SoundNet().eval()
    called = []
    for layer in LAYERS:
        block = soundnet.block(layer.name)
        block.register_forward_hook(lambda *_, name=layer.name: called.append(name))
    soundnet(torch.zeros(1, 5000), ["pool2", "conv1"])
    assert called == ["conv1", "conv2"]


@pytest.mark.parametrize("name", ["conv9", "objects"])
def test_an_unknown_stage_or_head_is_refused_with_the_names_of_all(name):
    with pytest.raises(ValueError, match=rf"unknown stage '{name}'; this network has conv1, pool1"):
        SoundNet()(torch.zeros(1, 5000), [name])
