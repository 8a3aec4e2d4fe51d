"""Zero padding."""

from __future__ import annotations

from torch import Tensor


def between_zeros(frames: Tensor, before: int, n_needed: int) -> Tensor:
    """Zero-padded frames ``(n_clips, n_needed, ...)``; most of the memory is written only once.

    There are `before` zeros before the first frame, and frames beyond `n_needed` are dropped.
    :func:`torch.nn.functional.pad` fills all of the memory first, which takes as long as the copy.

    Examples
    --------
    >>> import torch
    >>> between_zeros(torch.ones(1, 2), 1, 4)
    tensor([[0., 1., 1., 0.]])
    """
    stop = min(n_needed, before + frames.shape[1])
    if before == 0 and stop == n_needed:
        return frames[:, :stop]
    padded = frames.new_empty(frames.shape[0], n_needed, *frames.shape[2:])
    padded[:, :before] = 0
    padded[:, before:stop] = frames[:, : stop - before]
    padded[:, stop:] = 0
    return padded
