"""A strided convolution, and the pooling after it, as one matrix product.

A convolution with few input channels starves the processor: conv1 reads one number per sample. But
frames that are pooled together depend on overlapping samples. Cut the input into blocks of
``span = stride * pool`` samples; then all `pool` outputs of one pooling window depend on the same
few neighbouring blocks, and one product of these blocks (a row per window) with a matrix that holds
the kernel `pool` times, each copy shifted down by `stride` samples, gives them all. For conv1 that
is 80 samples by 8 x 16 outputs. Max-pooling becomes a maximum over `pool` neighbouring numbers, and
the long output of the convolution is never stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.padding import between_zeros


@dataclass(frozen=True)
class BlockedKernel:
    """The kernel of a convolution, arranged for products with blocks of its input.

    `matrix` is ``(n_blocks * span * in_channels, n_outputs * out_channels)``: a pooling window of
    `n_outputs` outputs depends on `n_blocks` neighbouring blocks of `span` input frames, which is
    the hop of the windows.
    """

    matrix: Tensor
    n_blocks: int
    span: int
    n_outputs: int


def n_blocks_received(kernel: int, stride: int, pool: int) -> int:
    """Number of neighbouring blocks of ``stride * pool`` frames in the input of a pooling window.

    Examples
    --------
    >>> n_blocks_received(kernel=64, stride=2, pool=8)
    5
    """
    return -(-(kernel + stride * (pool - 1)) // (stride * pool))


def blocked_kernel(weight: Tensor, stride: int, pool: int) -> BlockedKernel:
    """Arrange the kernel of a convolution whose outputs are pooled by `pool`.

    `weight` is ``(out_channels, in_channels, kernel)``; gradients flow back to it.

    Examples
    --------
    >>> blocked_kernel(torch.zeros(16, 1, 64), stride=2, pool=8).matrix.shape
    torch.Size([80, 128])
    """
    out_channels, _, kernel = weight.shape
    span = stride * pool
    n_blocks = n_blocks_received(kernel, stride, pool)
    taps = weight.permute(2, 1, 0)
    n_after = n_blocks * span - kernel
    shifted = [
        F.pad(taps, (0, 0, 0, 0, stride * output, n_after - stride * output))
        for output in range(pool)
    ]
    matrix = torch.stack(shifted, dim=2).reshape(-1, pool * out_channels)
    return BlockedKernel(matrix, n_blocks, span, pool)


def blocked_frames(frames: Tensor, kernel: BlockedKernel, padding: int, n_windows: int) -> Tensor:
    """The input of the product: for each pooling window the blocks it depends on.

    Arguments are those of :func:`padded_blocks`; the result,
    ``(n_clips, n_windows, n_blocks * span * in_channels)``, is a view in which windows overlap.

    Examples
    --------
    >>> kernel = blocked_kernel(torch.ones(1, 1, 3), stride=1, pool=2)
    >>> x = blocked_frames(torch.arange(4.0).view(1, 4, 1), kernel, padding=1, n_windows=2)
    >>> (x @ kernel.matrix).tolist()  # sums of three neighbours
    [[[1.0, 3.0], [6.0, 5.0]]]
    """
    blocks = padded_blocks(frames, kernel, padding, n_windows)
    width = blocks.shape[2]
    return blocks.flatten(1).unfold(1, kernel.n_blocks * width, width)


def padded_blocks(frames: Tensor, kernel: BlockedKernel, padding: int, n_windows: int) -> Tensor:
    """The blocks that consecutive pooling windows depend on, in order.

    Frames ``(n_clips, n_frames, in_channels)`` are zero-padded by `padding` before the first one,
    and after the last as needed for `n_windows`. The result is contiguous,
    ``(n_clips, n_windows + n_blocks - 1, span * in_channels)``.

    Examples
    --------
    >>> kernel = blocked_kernel(torch.ones(1, 1, 3), stride=1, pool=2)
    >>> padded_blocks(torch.arange(4.0).view(1, 4, 1), kernel, padding=1, n_windows=2).tolist()
    [[[0.0, 0.0], [1.0, 2.0], [3.0, 0.0]]]
    """
    n_blocks = n_windows + kernel.n_blocks - 1
    padded = between_zeros(frames, padding, n_blocks * kernel.span)
    return padded.reshape(len(frames), n_blocks, -1)
