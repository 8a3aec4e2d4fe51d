"""Normalisation of audio to a fixed level over a moving window.

A network whose layers have biases is not invariant to level: its activations for a quiet recording
differ from those for a loud one, and a very quiet one is treated as silence. Where recordings
differ in level for irrelevant reasons (microphones, distances, conventions of data sets),
normalising the level improves embeddings.

The level at a time is the root mean square of the signal around it, weighted by a Hann window `w`
of :data:`WINDOW_S`. It is computed at the centre of each block of 1/80 s, from the
energies of the blocks within the window:

    level[b]² = sum over i of w[i] energy[b + i] / sum over i of w[i] n_samples[b + i]

Times beyond the ends of a clip contribute neither energy nor samples. The gain is interpolated
linearly between the centres of successive blocks, and is constant before the first and after the
last. So a sample depends only on those up to half a window (and two blocks) away, and a chunk of a
long recording can be computed alone.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.modes import is_traced, ordinary_tensors

WINDOW_S = 4.0  # about the receptive field of the deepest stage
BLOCKS_PER_SECOND = 80
SILENCE = 1e-5  # level; bounds the gain of quieter passages

GROUP = 128  # blocks whose windows are summed in one product
HALF_WINDOW = int(WINDOW_S * BLOCKS_PER_SECOND) // 2  # blocks before and after the middle one


def check_level(level: float) -> float:
    """`level` itself if it is a valid target level, or 0 for no normalisation.

    Raises
    ------
    ValueError
        If it is not a number in [0, 1].

    Examples
    --------
    >>> check_level(-26)
    Traceback (most recent call last):
    ...
    ValueError: level must lie within 0 (unchanged) and 1 (full scale), got -26; for \
decibels below full scale write 10 ** (decibels / 20)
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 <= level <= 1:
        raise ValueError(
            f"level must lie within 0 (unchanged) and 1 (full scale), got {level!r}; "
            "for decibels below full scale write 10 ** (decibels / 20)"
        )
    return float(level)


def brought_to(
    level: float, audio: Tensor, sample_rate: int, n_samples: int | Tensor | None = None
) -> Tensor:
    """Normalise the level of clips in memory, shape ``(n_sounds, n_longest)``.

    Parameters
    ----------
    level : float
        Above 0, relative to full scale. Levels below :data:`SILENCE` are treated as equal to it.
    audio : Tensor
        ``(n_sounds, n_longest)``, floating point; differentiable. For a longer recording, the
        samples from the beginning of a block on.
    sample_rate : int
        In Hz, 1,000 or more.
    n_samples : int or Tensor, optional
        Number of samples from the first of `audio` to the end of the clip, by default the end of
        `audio`. If it is larger, the last samples are wrong (:func:`samples_around`). When tracing,
        a counted length, int64 ``(1,)``, and `audio` may be zero-padded.

    Examples
    --------
    >>> tone = 0.3 * torch.sin(torch.arange(8000) / 3)[None]
    >>> brought_to(0.1, torch.cat([tone, tone / 64]), sample_rate=8000).square().mean(1).sqrt()
    tensor([0.1000, 0.1000])
    """
    block = _block(sample_rate)
    n_samples = audio.shape[1] if n_samples is None else n_samples
    full = audio.to(torch.promote_types(audio.dtype, torch.float32))
    gains = (_recorded_gains if is_traced() else _gains)(level, full, n_samples, block)
    return (audio * gains).to(audio.dtype)


def samples_around(start: int, stop: int, sample_rate: int) -> tuple[int, int]:
    """The samples that determine the gains of samples `start` to `stop` of a clip.

    From the beginning of a block, not negative, to the end of another one, which may lie beyond the
    end of the clip.

    Examples
    --------
    >>> samples_around(88_000, 88_001, sample_rate=22_050)
    (43725, 132275)
    """
    block = _block(sample_rate)
    before, behind = (start - block // 2) // block, -(-(stop + block // 2) // block)
    return max(0, before - HALF_WINDOW) * block, (behind + HALF_WINDOW) * block


def _block(sample_rate: int) -> int:
    return sample_rate // BLOCKS_PER_SECOND


def _gains(level: float, audio: Tensor, n_samples: Any, block: int) -> Tensor:
    """Gain of each sample."""
    n_whole, rest = divmod(audio.shape[1], block)
    n_blocks = n_whole + bool(rest)
    n_groups = -(-n_blocks // GROUP)
    tracks = audio.new_zeros(len(audio) + 1, n_groups * GROUP + 2 * HALF_WINDOW)
    inner = tracks[:, HALF_WINDOW : HALF_WINDOW + n_blocks]
    inner[:-1, :n_whole] = _energies(audio[:, : n_whole * block].unflatten(1, (n_whole, block)))
    if rest:
        inner[:-1, -1:] = _energies(audio[:, None, -rest:])
    inner[-1] = block
    inner[-1, -1] = min(block, n_samples - (n_blocks - 1) * block)
    # A product with a band matrix per group of blocks: individual windows would be copied.
    windows = _kept_windows(audio.dtype, audio.device)
    sums = (tracks.unfold(1, len(windows), GROUP) @ windows).flatten(1)[:, :n_blocks]
    of_blocks = _gains_of_blocks(level, sums)
    ends = torch.cat([of_blocks[:, :1], of_blocks, of_blocks[:, -1:]], dim=1)
    ramps = ends.unfold(1, 2, 1) @ _kept_ramps(block, audio.dtype, audio.device)
    first = _from_middle_on(block)
    return ramps.flatten(1)[:, first : first + audio.shape[1]]


def _recorded_gains(level: float, audio: Tensor, n_samples: Any, block: int) -> Tensor:
    """Gains by tensor operations only, for any length."""
    # One block more than needed: with always several blocks, export needs no guard.
    squares = F.pad(audio, (0, 2 * block - 1)).square()
    energies = F.conv1d(squares[:, None], squares.new_ones(1, 1, block), stride=block)[:, 0]
    starts = torch.arange(energies.shape[1], device=audio.device) * block
    numbers = (n_samples - starts).clamp(0, block).to(audio.dtype)
    tracks = F.pad(torch.cat([energies, numbers[None]]), (HALF_WINDOW, HALF_WINDOW))
    window = _window(tracks.dtype, tracks.device)
    of_blocks = _gains_of_blocks(level, tracks.unfold(1, 2 * HALF_WINDOW + 1, 1) @ window)
    places = torch.arange(audio.shape[1], device=audio.device) + _from_middle_on(block)
    after = _share_after(places % block, block, audio.dtype)
    last = (n_samples - 1) // block
    left = (places // block - 1).clamp_min(0).clamp_max(last)
    right = (places // block).clamp_max(last)
    return of_blocks[:, left] * (1 - after) + of_blocks[:, right] * after


def _gains_of_blocks(level: float, sums: Tensor) -> Tensor:
    """Gains from energies and, in the last row, numbers of samples within the window of each
    block."""
    # Less than one sample is possible only after the end.
    power = (sums[:-1] / sums[-1:].clamp_min(1)).clamp_min(SILENCE**2)
    return level / power.sqrt()


def _window(dtype: torch.dtype, device: torch.device) -> Tensor:
    n_weights = 2 * HALF_WINDOW + 1
    places = torch.arange(1, n_weights + 1, dtype=dtype, device=device)
    return (places * (math.pi / (n_weights + 1))).sin().square()


# Cached, since they cost as much as the rest of a short clip's level; but not when tracing, where
# tensors belong to the trace.
@lru_cache(maxsize=8)
def _kept_windows(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The windows of a group of blocks, ``(GROUP + 2 * HALF_WINDOW, GROUP)``."""
    with ordinary_tensors():
        windows = torch.zeros(GROUP + 2 * HALF_WINDOW, GROUP, dtype=dtype, device=device)
        window = _window(dtype, device)
        for i in range(GROUP):
            windows[i : i + len(window), i] = window
        return windows


@lru_cache(maxsize=8)
def _kept_ramps(block: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights of the gains before and after a sample, ``(2, block)``."""
    with ordinary_tensors():
        after = _share_after(torch.arange(block, device=device), block, dtype)
        return torch.stack([1 - after, after])


def _energies(blocks: Tensor) -> Tensor:
    return torch.linalg.vector_norm(blocks, dim=2).square()


def _from_middle_on(block: int) -> int:
    """Position of the first sample in its block, for blocks that begin at the centres of others."""
    return block - block // 2


def _share_after(places: Tensor, block: int, dtype: torch.dtype) -> Tensor:
    """Relative position of samples between one centre and the next, in [0, 1]."""
    return (places.to(dtype) + (0.5 - block % 2 / 2)) / block  # even blocks: between samples
