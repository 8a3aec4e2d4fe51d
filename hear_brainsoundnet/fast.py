"""The fast way through the network, for inference on a processor.

Plain convolutions leave most of a processor idle here: conv1 reads a single channel, the upper
stages have a handful of frames. So every stage is a product of matrices
(:mod:`hear_brainsoundnet.blocked`): BatchNorm is folded into the kernel, a row holds what one
output hears, or what a whole pooling window hears where that is hardly more arithmetic (conv1 and
conv2). Pooling is then a maximum over neighbouring numbers, and unless conv1 or conv2 itself is
asked for, their long outputs never exist. Rows are multiplied some thousand at a time, so that
memory does not grow with them. The plain network is the reference that every test compares
with.
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

NUMBERS_AT_ONCE = 2**20  # of rows and what comes of them, per product: 4 MB in float32
MOST_EXTRA = 2.0  # times the arithmetic of the convolution that a product of windows may take


@dataclass(frozen=True)
class _Folded:
    """A stage with BatchNorm in its kernel; the offset is added after pooling.

    Attributes
    ----------
    layer : Layer
        Of the table.
    kernel : BlockedKernel
        For whole pooling windows, or for single outputs.
    offset : Tensor
        ``(channels,)``.
    """

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
                pool = folded.layer.pool_name if folded.layer.pool_name in path else None
                keep = name in wanted or pool is None
                conv, pooled = _multiply(folded, frames, keep=keep, pool=pool is not None)
                if conv is not None:
                    frames = conv
                if pool is not None and pooled is not None:
                    known[pool] = pooled
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
    kernel = blocked_kernel(weight, layer.stride, max(1, layer.pool))
    if kernel.n_blocks * kernel.span > MOST_EXTRA * layer.kernel:
        kernel = blocked_kernel(weight, layer.stride, 1)
    return _Folded(layer, kernel, norm.bias + (bias - mean) * scale)


def _multiply(
    each: _Folded, frames: Tensor, *, keep: bool, pool: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Frames of the convolution, and pooled ones; None for what is not asked for.

    Frames have their channels last. Where rows are of single outputs, those of the convolution are
    what there is, and are yet to be pooled.
    """
    layer, per_row = each.layer, each.kernel.n_outputs
    keep, pool = keep or per_row == 1, pool and per_row > 1
    n_outputs = n_conv_outputs(layer, frames.shape[1])
    n_pooled = n_outputs // per_row
    n_rows = -(-n_outputs // per_row) if keep else n_pooled
    _check_length(n_rows, layer.name, frames)
    rows = blocked_frames(frames, each.kernel, layer.padding, n_rows)
    pieces, kept = [], []
    per_window = sum(each.kernel.matrix.shape) * len(frames)
    for piece in rows.split(max(1, NUMBERS_AT_ONCE // per_window), dim=1):
        # One product for all clips: of three axes torch would make one for each clip.
        products = (piece.flatten(0, 1) @ each.kernel.matrix).unflatten(0, piece.shape[:2])
        if keep:
            kept.append(products)
        if pool:
            pieces.append(largest(products.unflatten(2, (per_row, layer.channels))))
    conv = pooled = None
    if keep:
        conv = _joined(kept).reshape(len(frames), -1, layer.channels)[:, :n_outputs]
        conv = F.relu(conv + each.offset)
    if pool:
        pooled = F.relu(_joined(pieces)[:, :n_pooled] + each.offset)
    return conv, pooled


def _joined(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


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
