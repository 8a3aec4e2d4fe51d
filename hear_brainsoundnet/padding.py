"""Zero padding."""

from __future__ import annotations

from torch import Tensor


def between_zeros(frames: Tensor, before: int, n_needed: int) -> Tensor:
    """Zero-padded frames; most of the memory is written only once.

    :func:`torch.nn.functional.pad` fills all of it first, which takes as long as the copy.

    Parameters
    ----------
    frames : Tensor
        Time is the second axis, ``(n_clips, n_frames, ...)``.
    before, n_needed : int
        Zeros before the first frame; total number of frames, beyond which frames are dropped.

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
