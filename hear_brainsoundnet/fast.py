"""The fast way through conv1 and conv2, for inference.

These two stages take nine tenths of the time as plain convolutions. Here BatchNorm is folded into
the kernel, and all outputs of a pooling window come from one matrix product over the few blocks of
samples that it hears (:mod:`hear_brainsoundnet.blocked`), a few thousand windows at a time so that
they stay in the processor's cache. Pooling is then a maximum, and unless conv1 or conv2 itself is
asked for, their long outputs never exist. From pool2 on the plain network goes on; it is also the
reference that every test compares with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.blocked import BlockedKernel, blocked_frames, blocked_kernel
from hear_brainsoundnet.geometry import Window
from hear_brainsoundnet.soundnet import Layer, SoundNet

WINDOWS_AT_ONCE = 4096  # pooling windows per product: 2 MB of conv1 in float32
N_LOWER = 2  # stages that are computed in this way


@dataclass(frozen=True)
class _Folded:
    """A stage with BatchNorm in its kernel; the offset is added after pooling."""

    layer: Layer
    kernel: BlockedKernel
    offset: Tensor


class FastSoundNet:
    """A network's stages, computed faster on a processor; equal but for rounding.

    The folded kernels are made when they are first needed, and again when weights have changed or
    moved.

    Parameters
    ----------
    soundnet : SoundNet
        In inference mode; see :func:`can_be_fast`.

    Examples
    --------
    >>> soundnet, audio = SoundNet().eval(), torch.randn(2, 22050)
    >>> with torch.no_grad():
    ...     fast = FastSoundNet(soundnet)(audio, ["pool1", "conv4"])
    ...     plain = soundnet(audio, ["pool1", "conv4"])
    >>> all(torch.allclose(fast[name], plain[name], atol=1e-5) for name in plain)
    True
    """

    def __init__(self, soundnet: SoundNet) -> None:
        self.soundnet = soundnet
        self._state: tuple[object, ...] = ()
        self._lower: list[_Folded] = []

    def __call__(self, audio: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations of the named stages; as :meth:`SoundNet.forward`."""
        wanted = list(stages)
        found: dict[str, Tensor] = {}
        frames = audio[..., None]
        lower = self._folded()
        names = [(each.layer.name, each.layer.pool_name) for each in lower]
        deepest = max((i for i, pair in enumerate(names) if set(pair) & set(wanted)), default=-1)
        above = [name for name in wanted if not any(name in pair for pair in names)]
        for i, each in enumerate(lower):
            if not above and i > deepest:
                break
            conv, pooled = _run(each, frames, keep=each.layer.name in wanted)
            frames = pooled
            for name, value in zip(names[i], (conv, pooled), strict=True):
                if name in wanted and value is not None:
                    found[name] = value.transpose(1, 2)
        if above:
            last = lower[-1].layer.pool_name
            assert last is not None
            found |= self.soundnet.continue_from(last, frames.transpose(1, 2), above)
        return {name: found[name] for name in wanted}

    def _folded(self) -> list[_Folded]:
        layers = self.soundnet.layers[:N_LOWER]
        tensors = [
            tensor
            for layer in layers
            for tensor in self.soundnet.block(layer.name).state_dict(keep_vars=True).values()
        ]
        state = tuple((t.data_ptr(), t._version, t.dtype, t.device) for t in tensors)
        if state != self._state:
            self._lower = [_fold(self.soundnet, layer) for layer in layers]
            self._state = state
        return self._lower


def can_be_fast(soundnet: SoundNet) -> bool:
    """Whether its first stages are pooled, as those of the published network are."""
    return len(soundnet.layers) > N_LOWER and all(layer.pool for layer in soundnet.layers[:N_LOWER])


def fastest(soundnet: SoundNet) -> FastSoundNet | SoundNet:
    """The fast way through a network in inference mode where there is one, else the network."""
    return FastSoundNet(soundnet) if can_be_fast(soundnet) else soundnet


def n_conv_outputs(layer: Layer, n_frames: int) -> int:
    """Frames of a layer's convolution, before pooling."""
    return Window(layer.kernel, layer.stride, layer.padding).n_out(n_frames)


@torch.no_grad()
def _fold(soundnet: SoundNet, layer: Layer) -> _Folded:
    block = soundnet.block(layer.name)
    conv, norm = block.conv, block.norm
    variance, mean = norm.get_buffer("running_var"), norm.get_buffer("running_mean")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    bias = 0.0 if conv.bias is None else conv.bias
    kernel = blocked_kernel(conv.weight * scale[:, None, None], layer.stride, layer.pool)
    return _Folded(layer, kernel, norm.bias + (bias - mean) * scale)


def _run(each: _Folded, frames: Tensor, *, keep: bool) -> tuple[Tensor | None, Tensor]:
    """Frames of the convolution if they are kept, and pooled ones; channels last."""
    layer, matrix = each.layer, each.kernel.matrix
    n_outputs = n_conv_outputs(layer, frames.shape[1])
    n_pooled = n_outputs // layer.pool
    n_windows = -(-n_outputs // layer.pool) if keep else n_pooled
    blocks = blocked_frames(frames, each.kernel, layer.padding, n_windows)
    pieces, kept = [], []
    for piece in blocks.flatten(0, 1).split(WINDOWS_AT_ONCE):
        outputs = (piece @ matrix).unflatten(1, (layer.pool, layer.channels))
        pieces.append(largest(outputs))
        if keep:
            kept.append(outputs)
    shape = (len(frames), n_windows)
    pooled = torch.cat(pieces) if pieces else blocks.new_zeros(0, layer.channels)
    pooled = F.relu(pooled.unflatten(0, shape)[:, :n_pooled] + each.offset)
    if not keep:
        return None, pooled
    conv = torch.cat(kept).reshape(len(frames), -1, layer.channels)[:, :n_outputs]
    return F.relu(conv + each.offset), pooled


def largest(outputs: Tensor) -> Tensor:
    """Maximum over the outputs of a window, by halves: long rows are compared at once.

    Examples
    --------
    >>> largest(torch.tensor([[[1.0, 8.0], [3.0, 2.0]]]))
    tensor([[3., 8.]])
    """
    while outputs.shape[1] % 2 == 0:
        half = outputs.shape[1] // 2
        outputs = torch.maximum(outputs[:, :half], outputs[:, half:])
    return outputs.amax(dim=1)
