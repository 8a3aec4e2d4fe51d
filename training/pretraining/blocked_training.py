"""Training forward pass of SoundNet, with matrix products where convolutions are slow.

Equivalent to :meth:`SoundNet.forward` in training mode (except that conv outputs at the end of a
crop outside all pooling windows are left out of BatchNorm's statistics), in about half of the time
on a CPU. BatchNorm is a factor and an offset per channel once mean and variance are known: the
factor goes into the kernel, or into the frames before pooling, and the offset is added after it.
For conv1, whose input needs no gradient, mean and variance follow from the covariance of the
input's windows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.blocked import blocked_frames, blocked_kernel
from hear_brainsoundnet.fast import FastSoundNet, n_conv_outputs
from hear_brainsoundnet.soundnet import Layer, SoundNet

N_LOWER = 2  # stages whose convolutions are slow in training
MOMENTUM = 0.1  # of running statistics, PyTorch's own


def training_stages(
    soundnet: SoundNet, audio: Tensor, *, with_conv2: bool = False
) -> dict[str, Tensor]:
    """All stages from pool2 upwards, ``(n_clips, channels, n_frames)`` each.

    Parameters
    ----------
    soundnet : SoundNet
        The published network, in training mode; running statistics are updated, except for conv1
        and conv2 after :func:`freeze_lower`.
    audio : Tensor
        ``(n_clips, n_samples)``, at the network's input scale.
    with_conv2 : bool
        Include conv2, with its frames within pooling windows.

    Examples
    --------
    >>> stages = training_stages(SoundNet().train(), torch.randn(2, 22050))
    >>> list(stages)[:3], tuple(stages["conv4"].shape)
    (['pool2', 'conv3', 'conv4'], (2, 128, 23))
    """
    first, second = soundnet.layers[:N_LOWER]
    last = second.pool_name
    assert last is not None
    stages: dict[str, Tensor] = {}
    if soundnet.block(first.name).conv.weight.requires_grad:
        activations, offset = _scaled(soundnet, second, _pooled_from_audio(soundnet, first, audio))
        if with_conv2:
            activations = F.relu(activations + offset)
            stages[second.name] = activations.flatten(1, 2).transpose(1, 2)
            frames = activations.amax(dim=2)
        else:  # pooling first reduces the work
            frames = F.relu(activations.max(dim=2).values + offset)
        frames = frames.transpose(1, 2)
    else:
        wanted = [second.name, last] if with_conv2 else [last]
        with torch.no_grad():
            found = FastSoundNet(soundnet)(audio, wanted)
        frames = found.pop(last)
        stages |= {name: own[:, :, : second.pool * frames.shape[2]] for name, own in found.items()}
    above = soundnet.stage_names[soundnet.stage_names.index(last) + 1 :]
    return {**stages, last: frames, **soundnet.continue_from(last, frames, above)}


def _pooled_from_audio(soundnet: SoundNet, layer: Layer, audio: Tensor) -> Tensor:
    conv, norm = _parts(soundnet, layer)
    weight = conv.weight
    n_windows = n_conv_outputs(layer, audio.shape[1]) // layer.pool
    plain = blocked_kernel(weight, layer.stride, layer.pool)
    blocks = blocked_frames(audio[..., None], plain, layer.padding, n_windows).flatten(0, 1)
    # Statistics in full precision: under autocast the products would have only 8 bits.
    with torch.no_grad(), torch.autocast(blocks.device.type, enabled=False):
        taps = [slice(layer.stride * o, layer.stride * o + layer.kernel) for o in range(layer.pool)]
        sums, products = blocks.sum(0), blocks.T @ blocks
        n = len(blocks) * layer.pool
        centre = torch.stack([sums[tap] for tap in taps]).sum(0) / n
        covariance = torch.stack([products[tap, tap] for tap in taps]).sum(0) / n
        covariance -= torch.outer(centre, centre)
    rows = weight[:, 0]
    mean = rows @ centre
    variance = ((rows @ covariance) * rows).sum(1).clamp_min(0)
    scale = _normalise(norm, conv, mean, variance, n)
    folded = blocked_kernel(weight * scale[:, None, None], layer.stride, layer.pool)
    frames = (blocks @ folded.matrix).view(len(audio), n_windows, layer.pool, -1)
    return F.relu(frames.max(dim=2).values + (norm.bias - mean * scale))


def _scaled(soundnet: SoundNet, layer: Layer, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Conv outputs by window, ``(n_clips, n_windows, pool, channels)``, and the offset to add."""
    conv, norm = _parts(soundnet, layer)
    n_windows = n_conv_outputs(layer, frames.shape[1]) // layer.pool
    kernel = blocked_kernel(conv.weight, layer.stride, layer.pool)
    blocks = blocked_frames(frames, kernel, layer.padding, n_windows).flatten(0, 1)
    products = (blocks @ kernel.matrix).view(-1, layer.channels).to(conv.weight.dtype)
    variance, mean = torch.var_mean(products, dim=0, unbiased=False)
    scale = _normalise(norm, conv, mean, variance, len(products))
    scaled = (products * scale).view(len(frames), n_windows, layer.pool, layer.channels)
    return scaled, norm.bias - mean * scale


def freeze_lower(soundnet: SoundNet) -> None:
    """Freeze conv1 and conv2, statistics included."""
    for layer in soundnet.layers[:N_LOWER]:
        soundnet.block(layer.name).requires_grad_(False).eval()


def _parts(soundnet: SoundNet, layer: Layer) -> tuple[nn.Conv1d, nn.BatchNorm1d]:
    block = soundnet.block(layer.name)
    return block.conv, block.norm


def _normalise(
    norm: nn.BatchNorm1d, conv: nn.Conv1d, mean: Tensor, variance: Tensor, n: int
) -> Tensor:
    """BatchNorm's factor; updates its running statistics, which include the bias of `conv`."""
    with torch.no_grad():
        bias = 0.0 if conv.bias is None else conv.bias
        norm.get_buffer("running_mean").lerp_(mean + bias, MOMENTUM)
        norm.get_buffer("running_var").lerp_(variance * (n / max(1, n - 1)), MOMENTUM)
        norm.get_buffer("num_batches_tracked").add_(1)
    return norm.weight * torch.rsqrt(variance + norm.eps)
