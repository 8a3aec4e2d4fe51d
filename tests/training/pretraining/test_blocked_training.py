"""The fast way through the lower stages gives what the plain network gives."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F

from hear_brainsoundnet.blocked import blocked_frames, blocked_kernel
from training.pretraining.blocked_training import freeze_lower, training_stages
from training.pretraining.loop import random_network

# Every output of conv1 and conv2 falls into a pooling window, so that both take the same statistics
N_SAMPLES = 256 * 80 - 34


def trained_step(
    way: str, names: Sequence[str]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Stages and gradients of one step of a network with uneven BatchNorm weights, in float64."""
    generator = torch.Generator().manual_seed(0)
    soundnet = random_network(0).double().train()
    for layer in soundnet.layers:
        norm = soundnet.block(layer.name).norm
        norm.weight.data = torch.randn(norm.weight.shape, generator=generator).double()
        norm.bias.data = torch.randn(norm.bias.shape, generator=generator).double()
    audio = 20 * torch.randn(3, N_SAMPLES, generator=generator).double()
    if way == "plain":
        given = soundnet(audio, names)
    else:
        given = training_stages(soundnet, audio, with_conv2="conv2" in names)
    weights = {name: torch.randn(given[name].shape, generator=generator).double() for name in names}
    torch.stack([(given[name] * weights[name]).sum() for name in names]).sum().backward()
    gradients = {
        name: parameter.grad
        for name, parameter in soundnet.named_parameters()
        if parameter.grad is not None and not name.endswith("conv.bias")  # BatchNorm undoes it
    }
    return {name: given[name] for name in names} | dict(soundnet.named_buffers()), gradients


@pytest.mark.parametrize("names", [("pool2", "conv4", "conv7"), ("conv2", "conv4", "conv7")])
def test_stages_statistics_and_gradients_are_those_of_the_plain_network(
    names: tuple[str, ...],
) -> None:
    plain, plain_gradients = trained_step("plain", names)
    blocked, blocked_gradients = trained_step("blocked", names)
    for name, value in plain.items():
        torch.testing.assert_close(blocked[name], value, rtol=1e-7, atol=1e-7, msg=name)
    assert blocked_gradients.keys() == plain_gradients.keys()
    for name, gradient in plain_gradients.items():
        scale = float(gradient.abs().max())
        difference = float((blocked_gradients[name] - gradient).abs().max())
        assert difference < 1e-7 * scale, name


@pytest.mark.parametrize(
    ("in_channels", "kernel", "stride", "pool", "padding"),
    [(1, 64, 2, 8, 32), (16, 32, 2, 8, 16), (3, 5, 3, 2, 1), (2, 4, 2, 4, 2), (1, 1, 1, 1, 0)],
)
def test_product_of_blocks_is_the_convolution(
    in_channels: int, kernel: int, stride: int, pool: int, padding: int
) -> None:
    generator = torch.Generator().manual_seed(kernel)
    weight = torch.randn(6, in_channels, kernel, generator=generator, dtype=torch.float64)
    frames = torch.randn(2, 301, in_channels, generator=generator, dtype=torch.float64)
    expected = F.conv1d(frames.transpose(1, 2), weight, stride=stride, padding=padding)
    n_windows = expected.shape[2] // pool
    blocked = blocked_kernel(weight, stride, pool)
    products = blocked_frames(frames, blocked, padding, n_windows) @ blocked.matrix
    found = products.view(2, n_windows * pool, 6).transpose(1, 2)
    torch.testing.assert_close(found, expected[:, :, : n_windows * pool])


def test_frozen_lower_stages_are_those_of_inference() -> None:
    soundnet = random_network(2).double().train()
    audio = 20 * torch.randn(2, 30_000, dtype=torch.float64)
    training_stages(soundnet, audio)
    freeze_lower(soundnet)
    found = training_stages(soundnet, audio, with_conv2=True)
    with torch.no_grad():
        expected = soundnet.eval()(audio, ["conv2", "pool2"])
    n_frames = found["conv2"].shape[2]
    assert n_frames == 8 * found["pool2"].shape[2]
    torch.testing.assert_close(found["pool2"], expected["pool2"])
    torch.testing.assert_close(found["conv2"], expected["conv2"][:, :, :n_frames])


def test_running_statistics_count_the_steps() -> None:
    soundnet = random_network(1).train()
    before = copy.deepcopy(soundnet.conv1.norm.num_batches_tracked)
    training_stages(soundnet, torch.randn(2, 22050))
    assert soundnet.conv1.norm.num_batches_tracked == before + 1
