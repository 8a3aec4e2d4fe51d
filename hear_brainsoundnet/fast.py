"""The fast way through the network, for inference on a processor.

Plain convolutions leave most of a processor idle here: conv1 reads a single channel, the upper
stages have a handful of frames. So every stage is made of products of matrices
(:mod:`hear_brainsoundnet.blocked`): BatchNorm is folded into the kernel, and a row gives several
outputs where that is hardly more arithmetic than one by one (conv1 eight, conv2 four, conv3 two).
Pooling is then a maximum over neighbouring numbers, and unless conv1 or conv2 itself is asked for,
their long outputs never exist. Rows are multiplied some thousand at a time, so that memory does not
grow with them. The plain network is the reference that every test compares with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from hear_brainsoundnet.blocked import (
    BlockedKernel,
    blocked_kernel,
    n_blocks_heard,
    padded_blocks,
)
from hear_brainsoundnet.geometry import Window
from hear_brainsoundnet.soundnet import Layer, SoundNet

NUMBERS_AT_ONCE = 2**20  # of rows and what comes of them, per product: 4 MB in float32
MOST_EXTRA = 1.25  # times the arithmetic of the convolution that its products may take
MOST_OUTPUTS = 8  # of a convolution without pooling, in one row
NARROWEST = 64  # numbers in a block that is multiplied by itself


@dataclass(frozen=True)
class _Folded:
    """A stage with BatchNorm in its kernel; the offset is added after pooling.

    Attributes
    ----------
    layer : Layer
        Of the table.
    kernel : BlockedKernel
        For rows of one or more outputs, no more than a pooling window has.
    n_products : int
        That are added up: one for each block of the kernel, or one for all.
    offset : Tensor
        ``(channels,)``.
    """

    layer: Layer
    kernel: BlockedKernel
    n_products: int
    offset: Tensor


class FastSoundNet:
    """A network's stages, computed faster on a processor; equal but for rounding.

    The folded kernels are made when they are first needed, and again when weights have changed or
    moved.

    Parameters
    ----------
    soundnet : SoundNet
        Taken as it is in inference mode.

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
        self._folded: dict[str, tuple[tuple[object, ...], _Folded]] = {}

    def __call__(self, audio: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations of the named stages; as :meth:`SoundNet.forward`."""
        return self._run(audio[..., None], 0, list(stages))

    def continue_from(self, stage: str, frames: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations above a stage that is known; as :meth:`SoundNet.continue_from`."""
        return self._run(frames.transpose(1, 2), self.soundnet.place_after(stage), list(stages))

    def _run(self, frames: Tensor, first: int, wanted: list[str]) -> dict[str, Tensor]:
        """`frames`, channels last, through the stages from number `first` to the deepest wanted."""
        soundnet = self.soundnet
        path = soundnet.path(first, wanted)
        known: dict[str, Tensor] = {}
        if first:
            known[soundnet.stage_names[first - 1]] = frames
        for name in path:
            if name in known:  # pooled in the product of the stage below
                frames = known[name]
            elif name in soundnet.pool_widths:
                frames = _max_pool(frames, soundnet.pool_widths[name], name)
            else:
                folded = self._current(name)
                pool_name = folded.layer.pool_name
                if pool_name in path and name not in wanted:
                    known[pool_name] = frames = _multiply(folded, frames, pooled=True)
                    continue
                frames = _multiply(folded, frames, pooled=False)
            known[name] = frames
        found = {name: known[name].transpose(1, 2) for name in wanted if name in known}
        top = frames.transpose(1, 2)
        return {
            name: found[name] if name in found else soundnet.heads[name](top) for name in wanted
        }

    def _current(self, name: str) -> _Folded:
        block = self.soundnet.block(name)
        tensors = (*block.parameters(), *block.buffers())
        state = tuple((t.data_ptr(), t._version, t.dtype, t.device) for t in tensors)
        before = self._folded.get(name)
        if before is not None and before[0] == state:
            return before[1]
        folded = _fold(self.soundnet, name)
        self._folded[name] = state, folded
        return folded


def n_conv_outputs(layer: Layer, n_frames: int) -> int:
    """Frames of a layer's convolution, before pooling."""
    return Window(layer.kernel, layer.stride, layer.padding).n_out(n_frames)


@torch.no_grad()
def _fold(soundnet: SoundNet, name: str) -> _Folded:
    (layer,) = (each for each in soundnet.layers if each.name == name)
    block = soundnet.block(name)
    conv, norm = block.conv, block.norm
    variance, mean = norm.get_buffer("running_var"), norm.get_buffer("running_mean")
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    bias = 0.0 if conv.bias is None else conv.bias
    weight = conv.weight * scale[:, None, None]
    kernel = blocked_kernel(weight, layer.stride, outputs_per_row(layer))
    # A block of conv1 is a handful of numbers: all that a row hears in one product. Elsewhere one
    # product for each block, added up, saves copying every number as often as it is heard.
    width = kernel.matrix.shape[0] // kernel.n_blocks
    n_products = kernel.n_blocks if width >= NARROWEST else 1
    return _Folded(layer, kernel, n_products, norm.bias + (bias - mean) * scale)


def outputs_per_row(layer: Layer) -> int:
    """As many as cost little more arithmetic than the convolution, and divide a pooling window.

    Examples
    --------
    >>> [outputs_per_row(layer) for layer in SoundNet().layers]
    [8, 4, 2, 1, 1, 1, 1]
    """
    most = layer.pool or MOST_OUTPUTS
    for n_outputs in range(most, 1, -1):
        n_heard = n_blocks_heard(layer.kernel, layer.stride, n_outputs) * layer.stride * n_outputs
        if most % n_outputs == 0 and n_heard <= MOST_EXTRA * layer.kernel:
            return n_outputs
    return 1


def _multiply(each: _Folded, frames: Tensor, *, pooled: bool) -> Tensor:
    """Frames of the convolution, or of the pooling after it; all with their channels last."""
    layer, kernel = each.layer, each.kernel
    n_outputs = n_conv_outputs(layer, frames.shape[1])
    if pooled:
        n_outputs -= n_outputs % layer.pool
    _check_length(n_outputs, layer.name, frames)
    n_rows = -(-n_outputs // kernel.n_outputs)
    # The blocks of all clips as one long clip: rows between two clips are computed and left out.
    blocks = padded_blocks(frames, kernel, layer.padding, n_rows)
    n_clips, per_clip, width = blocks.shape
    heard = width * kernel.n_blocks // each.n_products
    blocks = blocks.flatten().unfold(0, heard, width)
    factors = kernel.matrix.unflatten(0, (each.n_products, heard))
    n_all = n_clips * per_clip - kernel.n_blocks + 1
    at_once = max(1, NUMBERS_AT_ONCE // (heard + factors.shape[2]))
    pieces = []
    for start in range(0, n_all, at_once):
        stop = min(start + at_once, n_all)
        piece = blocks[start:stop] @ factors[0]
        for place in range(1, each.n_products):
            piece.addmm_(blocks[start + place : stop + place], factors[place])
        if pooled:
            piece = largest(piece.unflatten(1, (kernel.n_outputs, layer.channels)))
        pieces.append(piece)
    rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
    per_row = rows.shape[1] // layer.channels
    outputs = rows.as_strided(
        (n_clips, n_rows * per_row, layer.channels),
        (per_clip * rows.shape[1], layer.channels, 1),
    )
    if pooled:
        outputs = _max_pool(outputs, layer.pool // kernel.n_outputs, layer.name)
    else:
        outputs = outputs[:, :n_outputs]
    return (outputs + each.offset).relu_()


def _check_length(n_frames: int, name: str, frames: Tensor) -> None:
    if n_frames < 1:
        raise ValueError(
            f"{name} needs more than the {frames.shape[1]} frames or samples that it was given; "
            "pad the sound to the stage's shortest input"
        )


def _max_pool(frames: Tensor, width: int, name: str) -> Tensor:
    n_windows = frames.shape[1] // width
    _check_length(n_windows, name, frames)
    return largest(frames[:, : n_windows * width].unflatten(1, (n_windows, width)))


def largest(outputs: Tensor) -> Tensor:
    """Maximum over the last axis but one, by halves: long rows are compared at once.

    Examples
    --------
    >>> largest(torch.tensor([[[1.0, 8.0], [3.0, 2.0]]]))
    tensor([[3., 8.]])
    """
    while outputs.shape[-2] % 2 == 0:
        half = outputs.shape[-2] // 2
        outputs = torch.maximum(outputs[..., :half, :], outputs[..., half:, :])
    return outputs[..., 0, :] if outputs.shape[-2] == 1 else outputs.amax(dim=-2)
