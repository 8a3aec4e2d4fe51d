"""Sliding windows of fixed length, and their centres."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hear_brainsoundnet.padding import between_zeros


@dataclass(frozen=True)
class SlidingWindows:
    """Windows for a network with a fixed input length.

    The first begins at 0, the last is the last one whose centre lies within the clip, zero-padded
    at the end. A clip shorter than one window is centred in it.

    Attributes
    ----------
    length, hop : int
        In samples.

    Examples
    --------
    >>> windows = SlidingWindows(length=4, hop=2)
    >>> windows.cut(torch.arange(1.0, 8)[None])
    tensor([[[1., 2., 3., 4.],
             [3., 4., 5., 6.],
             [5., 6., 7., 0.]]])
    >>> windows.centres(7)
    tensor([2., 4., 6.], dtype=torch.float64)
    >>> windows.cut(torch.ones(1, 2)), windows.centres(2)
    (tensor([[[0., 1., 1., 0.]]]), tensor([1.], dtype=torch.float64))
    """

    length: int
    hop: int

    def cut(self, audio: Tensor) -> Tensor:
        """Windows ``(n_sounds, n_windows, length)`` of clips ``(n_sounds, n_samples)``."""
        n_samples = audio.shape[1]
        before = max(0, (self.length - n_samples) // 2)
        n_needed = (len(self.centres(n_samples)) - 1) * self.hop + self.length
        return between_zeros(audio, before, n_needed).unfold(1, self.length, self.hop)

    def centres(self, n_samples: int) -> Tensor:
        """Centres of the windows of a clip, in samples from its beginning, float64."""
        if n_samples < self.length:
            return torch.tensor([n_samples / 2], dtype=torch.float64)
        return torch.arange(self.length / 2, n_samples, self.hop, dtype=torch.float64)
