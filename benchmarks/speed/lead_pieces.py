"""Leads about single steps, measured by themselves: pooling, and resampling."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.fast import largest
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.soundnet import SoundNet

N_WINDOWS = 4096


def pooling_ways(seed: int = 0) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Pooling the outputs of one product of conv1, by ``amax`` and by halves.

    Returns
    -------
    two callables
        Each returns ``(n_windows, channels)``, the same to the last bit.

    Examples
    --------
    >>> by_amax, by_halves = pooling_ways()
    >>> torch.equal(by_amax(), by_halves())
    True
    """
    layer = SoundNet().layers[0]
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(N_WINDOWS, layer.pool, layer.channels, generator=generator)
    return lambda: outputs.amax(dim=1), lambda: largest(outputs)


def resampling_in_one(resampler: Resampler, audio: Tensor) -> Tensor:
    """All phases by one convolution, most of whose weights are zero.

    Parameters
    ----------
    resampler : Resampler
        One with a kernel.
    audio : Tensor
        ``(n_sounds, n_samples)``.

    Examples
    --------
    >>> resampler, audio = Resampler(48_000, 22_050), torch.randn(2, 4800)
    >>> torch.allclose(resampling_in_one(resampler, audio), resampler(audio), atol=1e-6)
    True
    """
    n_out = resampler.n_out(audio.shape[1])
    n_blocks = -(-n_out // resampler.new)
    after = n_blocks * resampler.old + resampler.width - audio.shape[1]
    padded = F.pad(audio, (resampler.width, after))
    kernel = resampler.kernel.T[:, None]
    blocks = F.conv1d(padded[:, None], kernel, stride=resampler.old)
    return blocks.transpose(1, 2).flatten(1)[:, :n_out]
