"""Fast inference of the network on a CPU.

Plain convolutions leave most of a CPU idle here: conv1 reads a single channel, the upper stages
have a handful of frames. So every stage is computed by matrix products. Up to conv5
(:mod:`hear_brainsoundnet.blocked`) BatchNorm is folded into the kernel, and a row gives several
outputs where that costs little extra arithmetic (conv1 eight, conv2 four, conv3 two). Pooling is
then a maximum over neighbouring numbers, and unless conv1 or conv2 itself is requested, their long
outputs are never stored. A few thousand rows are multiplied at a time, so that memory does not grow
with their number. (On a CPU bfloat16 takes twice as long, error 4 %; ``torch.compile`` makes
the plain network a tenth faster.) All tests compare with the plain network.

Folded kernels are never stale: each is kept with a copy of the weights that it was made from, and
used only while the weights equal that copy. Where this check costs more than it saves (the 2.6
million weights of conv6 and conv7, most stages of a short clip), the product uses the weights
directly, followed by BatchNorm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module

from hear_brainsoundnet.blocked import (
    BlockedKernel,
    blocked_kernel,
    n_blocks_received,
    padded_blocks,
)
from hear_brainsoundnet.geometry import Window
from hear_brainsoundnet.soundnet import ConvBlock, Layer, SoundNet

# Numbers in rows and outputs of one product: 4 MB in float32. A sixteenth of that takes half as
# long again; sixteen times as much is no faster, and a fifth slower for a minute of audio.
NUMBERS_AT_ONCE = 2**20
# Arithmetic relative to the plain convolution, at most. Rows of single outputs take up to
# 1.8 times as long, rows of whole pooling windows up to 1.5 times.
MOST_EXTRA = 1.25
MOST_OUTPUTS = 8  # of a convolution without pooling, in one row
NARROWEST = 64  # numbers in a block that gets its own product
LARGEST_FOLDED = 2**17  # weights of a kernel that is kept rearranged
MANY_NUMBERS = 2**12
FULL_PRECISION = (torch.float32, torch.float64)
PLAIN = (Tensor, nn.Parameter)  # no subclass, which may compute otherwise
FEW_TO_COPY = 2**17  # numbers; up to here folded kernels cost more than they save
FEW_NUMBERS = 2**13  # in rows; up to here multiplying from the right is faster


class _Source(NamedTuple):
    """Everything that a block's outputs depend on."""

    weight: Tensor
    bias: Tensor | None
    factor: Tensor
    shift: Tensor
    mean: Tensor
    variance: Tensor
    eps: float

    @classmethod
    def of(cls, block: ConvBlock) -> _Source:
        # Looked up in the modules' dictionaries: attribute access on modules dominates otherwise.
        conv, norm = block._modules["conv"], block._modules["norm"]
        assert isinstance(conv, nn.Conv1d)
        assert isinstance(norm, nn.BatchNorm1d)
        of_conv, of_norm, statistics = conv._parameters, norm._parameters, norm._buffers
        return cls(
            cast(Tensor, of_conv["weight"]),
            of_conv["bias"],
            cast(Tensor, of_norm["weight"]),
            cast(Tensor, of_norm["bias"]),
            cast(Tensor, statistics["running_mean"]),
            cast(Tensor, statistics["running_var"]),
            norm.eps,
        )

    def copy(self) -> _Source:
        bias = None if self.bias is None else self.bias.clone()
        weight, factor, shift = self.weight.clone(), self.factor.clone(), self.shift.clone()
        return _Source(
            weight, bias, factor, shift, self.mean.clone(), self.variance.clone(), self.eps
        )

    def equals(self, other: _Source) -> bool:
        # On other devices comparisons synchronise, which takes longer than folding again.
        if self.weight.device.type != "cpu" or self.eps != other.eps:
            return False
        return all(map(_equal, self[:-1], other[:-1]))

    def scale_and_offset(self) -> tuple[Tensor, Tensor]:
        """BatchNorm's factor and offset for the convolution's outputs without bias."""
        scale = self.factor * torch.rsqrt(self.variance + self.eps)
        bias = 0.0 if self.bias is None else self.bias
        return scale, self.shift + (bias - self.mean) * scale


@dataclass(frozen=True)
class _Folded:
    """A stage with BatchNorm in its kernel; the `offset` ``(channels,)`` is added after pooling.

    `n_products` products are summed: one per block of the kernel, or one for all. `source` is a
    copy of the weights and statistics that kernel and offset were made from.
    """

    layer: Layer
    kernel: BlockedKernel
    n_products: int
    offset: Tensor
    source: _Source


class FoldedKernels:
    """Cache of a network's folded kernels, valid while its weights are unchanged.

    Copies and pickles start empty.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Folded] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"_kept": {}}

    def of(self, layer: Layer, block: ConvBlock) -> _Folded:
        """The folded kernel of the block with its current weights."""
        kept, source = self._kept.get(layer.name), _Source.of(block)
        if kept is not None and source.equals(kept.source):
            return kept
        folded = _fold(layer, source)
        self._kept[layer.name] = folded
        return folded


class FastSoundNet:
    """Faster CPU implementation of a network's stages, equal up to rounding.

    The network is always in inference mode and with its current weights. `kernels` is a cache of
    folded kernels, by default one for this object.

    Examples
    --------
    >>> soundnet, audio = SoundNet().eval(), torch.randn(2, 22050)
    >>> with torch.no_grad():
    ...     fast = FastSoundNet(soundnet)(audio, ["pool1", "conv4"])
    ...     plain = soundnet(audio, ["pool1", "conv4"])
    >>> all(torch.allclose(fast[name], plain[name], atol=1e-5) for name in plain)
    True
    """

    def __init__(self, soundnet: SoundNet, kernels: FoldedKernels | None = None) -> None:
        self.soundnet = soundnet
        self.kernels = FoldedKernels() if kernels is None else kernels

    def __call__(self, audio: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations of the named stages; as :meth:`SoundNet.forward`."""
        return self._run(audio[..., None], 0, list(stages))

    def continue_from(self, stage: str, frames: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations above a stage with known activations; as :meth:`SoundNet.continue_from`."""
        return self._run(frames.transpose(1, 2), self.soundnet.place_after(stage), list(stages))

    def _run(self, frames: Tensor, first: int, wanted: list[str]) -> dict[str, Tensor]:
        """`frames`, channels last, through the stages from number `first` to the deepest
        requested."""
        soundnet = self.soundnet
        path = soundnet.path(first, wanted)
        layers = {layer.name: layer for layer in soundnet.layers}
        known: dict[str, Tensor] = {}
        if first:
            known[soundnet.stage_names[first - 1]] = frames
        for name in path:
            if name in known:  # already pooled in the product of the stage below
                frames = known[name]
            elif name in soundnet.pool_widths:
                frames = _max_pool(frames, soundnet.pool_widths[name], name)
            else:
                layer, block = layers[name], soundnet.block(name)
                n_weights = layer.kernel * layer.channels * frames.shape[2]
                if n_weights > LARGEST_FOLDED or _n_copied(layer, frames) <= FEW_TO_COPY:
                    frames = _multiply_as_it_is(layer, block, frames)
                else:
                    folded = self.kernels.of(layer, block)
                    if layer.pool_name in path and name not in wanted:
                        frames = _multiply(folded, frames, pooled=True)
                        known[str(layer.pool_name)] = frames
                        continue
                    frames = _multiply(folded, frames, pooled=False)
            known[name] = frames
        found = {name: known[name].transpose(1, 2) for name in wanted if name in known}
        top = frames.transpose(1, 2)
        return {
            name: found[name] if name in found else soundnet.heads[name](top) for name in wanted
        }


def can_serve(soundnet: SoundNet) -> bool:
    """Whether the fast implementation is equivalent to the plain network in its current state.

    It is not where weights are trained (they are constants here) or BatchNorm updates its
    statistics, where a layer has a hook or has been replaced, or where the arithmetic is not
    float32 or float64, for example under autocast.

    Examples
    --------
    >>> soundnet = SoundNet().eval()
    >>> can_serve(soundnet), can_serve(soundnet.requires_grad_(False))
    (False, True)
    """
    if module._has_any_global_hook() or not _is_as_made(soundnet, SoundNet):
        return False
    learns, weight = torch.is_grad_enabled(), None
    for layer in soundnet.layers:
        block = soundnet.block(layer.name)
        if not _is_as_made(block, ConvBlock):
            return False
        conv, norm = block._modules["conv"], block._modules["norm"]
        if not (
            _is_as_made(conv, nn.Conv1d)
            and _is_as_made(norm, nn.BatchNorm1d)
            and _convolves(cast(nn.Conv1d, conv), layer)
            and not norm.training
            and norm._buffers.get("running_mean") is not None
        ):
            return False
        weight = conv._parameters.get("weight")
        if type(weight) not in PLAIN or cast(Tensor, weight).dtype not in FULL_PRECISION:
            return False
        for each in (*conv._parameters.values(), *norm._parameters.values()):
            if each is None or (learns and each.requires_grad):
                return False
    return weight is not None and not torch.is_autocast_enabled(weight.device.type)


def n_conv_outputs(layer: Layer, n_frames: int) -> int:
    """Frames of a layer's convolution, before pooling."""
    return Window(layer.kernel, layer.stride, layer.padding).n_out(n_frames)


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.dtype != other.dtype:
        return False
    if one.numel() < MANY_NUMBERS or one.dtype not in FULL_PRECISION:
        return torch.equal(one, other)
    # NumPy compares several numbers at a time and takes a seventh of the time.
    return one.shape == other.shape and bool((one.detach().numpy() == other.numpy()).all())


def _is_as_made(module: nn.Module | None, kind: type[nn.Module]) -> TypeGuard[nn.Module]:
    """Whether a module is of exactly this class, without hooks."""
    if type(module) is not kind:
        return False
    own = vars(module)
    return not (
        own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
        or "forward" in own
    )


def _convolves(conv: nn.Conv1d, layer: Layer) -> bool:
    """Whether a convolution matches its row of the layer table."""
    return (
        conv.stride == (layer.stride,)
        and conv.padding == (layer.padding,)
        and conv.dilation == (1,)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
    )


# Kernels outlive the call that creates them, which may be in inference mode.
@torch.inference_mode(False)
@torch.no_grad()
def _fold(layer: Layer, current: _Source) -> _Folded:
    source = current.copy()  # first, so that the kernel matches the copy
    scale, offset = source.scale_and_offset()
    weight = source.weight * scale[:, None, None]
    kernel = blocked_kernel(weight, layer.stride, outputs_per_row(layer))
    # A block of conv1 is a handful of numbers: one product covers the whole input of a row.
    # Elsewhere one product per block, summed, saves copying every number once per row that contains
    # it.
    width = kernel.matrix.shape[0] // kernel.n_blocks
    n_products = kernel.n_blocks if width >= NARROWEST else 1
    return _Folded(layer, kernel, n_products, offset, source)


def outputs_per_row(layer: Layer) -> int:
    """Number of outputs per row that adds little arithmetic and divides a pooling window.

    Examples
    --------
    >>> [outputs_per_row(layer) for layer in SoundNet().layers]
    [8, 4, 2, 1, 1, 1, 1]
    """
    most = layer.pool or MOST_OUTPUTS
    for n_outputs in range(most, 1, -1):
        n_heard = (
            n_blocks_received(layer.kernel, layer.stride, n_outputs) * layer.stride * n_outputs
        )
        if most % n_outputs == 0 and n_heard <= MOST_EXTRA * layer.kernel:
            return n_outputs
    return 1


def _multiply(each: _Folded, frames: Tensor, *, pooled: bool) -> Tensor:
    """Frames of the convolution, or of the pooling after it; channels last."""
    layer, kernel = each.layer, each.kernel
    n_outputs = n_conv_outputs(layer, frames.shape[1])
    if pooled:
        n_outputs -= n_outputs % layer.pool
    _check_length(n_outputs, layer.name, frames)
    n_rows = -(-n_outputs // kernel.n_outputs)
    # The blocks of all clips as one long clip: rows that straddle two clips are computed and
    # dropped.
    blocks = padded_blocks(frames, kernel, layer.padding, n_rows)
    n_clips, per_clip, width = blocks.shape
    n_received = width * kernel.n_blocks // each.n_products
    blocks = blocks.flatten().unfold(0, n_received, width)
    factors = kernel.matrix.unflatten(0, (each.n_products, n_received))
    n_all = n_clips * per_clip - kernel.n_blocks + 1
    at_once = max(1, NUMBERS_AT_ONCE // (n_received + factors.shape[2]))
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


def _multiply_as_it_is(layer: Layer, block: ConvBlock, frames: Tensor) -> Tensor:
    """Frames of the convolution by a product with the weights themselves, channels last."""
    n_outputs = n_conv_outputs(layer, frames.shape[1])
    _check_length(n_outputs, layer.name, frames)
    if _n_copied(layer, frames) > NUMBERS_AT_ONCE:  # a convolution is as fast here
        return block(frames.transpose(1, 2)).transpose(1, 2)
    source = _Source.of(block)
    weight, bias = source.weight.flatten(1), source.bias
    padded = F.pad(frames, (0, 0, layer.padding, layer.padding))
    rows = padded.unfold(1, layer.kernel, layer.stride).reshape(-1, weight.shape[1])
    if weight.numel() > LARGEST_FOLDED and rows.numel() > FEW_NUMBERS:
        products = (weight @ rows.T).T  # faster than the other order here
        products = products if bias is None else products + bias
    else:
        products = F.linear(rows, weight, bias)
    found = F.batch_norm(
        products, source.mean, source.variance, source.factor, source.shift, eps=source.eps
    )
    return found.relu_().view(len(frames), n_outputs, -1)


def _n_copied(layer: Layer, frames: Tensor) -> int:
    """Numbers in the rows of :func:`_multiply_as_it_is`."""
    n_rows = len(frames) * n_conv_outputs(layer, frames.shape[1])
    return n_rows * layer.kernel * frames.shape[2]


def _check_length(n_frames: int, name: str, frames: Tensor) -> None:
    if n_frames < 1:
        raise ValueError(
            f"{name} needs more than the {frames.shape[1]} frames or samples that it was given; "
            "pad the audio to the stage's shortest input"
        )


def _max_pool(frames: Tensor, width: int, name: str) -> Tensor:
    n_windows = frames.shape[1] // width
    _check_length(n_windows, name, frames)
    return largest(frames[:, : n_windows * width].unflatten(1, (n_windows, width)))


def largest(outputs: Tensor) -> Tensor:
    """Maximum over the second to last axis, by halving: long rows are compared at once.

    For the pooling of conv1 this takes less than half as long as ``amax``.

    Examples
    --------
    >>> largest(torch.tensor([[[1.0, 8.0], [3.0, 2.0]]]))
    tensor([[3., 8.]])
    """
    while outputs.shape[-2] % 2 == 0:
        half = outputs.shape[-2] // 2
        outputs = torch.maximum(outputs[..., :half, :], outputs[..., half:, :])
    return outputs[..., 0, :] if outputs.shape[-2] == 1 else outputs.amax(dim=-2)
