"""Sounds at one level, moment by moment.

A network whose layers have biases hears a quiet sound as another sound than a loud one, and a very
quiet one as silence. Where recordings differ in level for reasons of their own (microphones,
distances, conventions of data sets), embeddings are the better for sounds that all come at the
same level.

The level at a moment is the root mean square of the sound around it, weighted by a Hann window `w`
of :data:`WINDOW_S`. It is taken in the middle of each block of an eightieth of a second, from the
energies of the blocks within the window:

    level[b]² = sum over i of w[i] energy[b + i] / sum over i of w[i] n_samples[b + i]

What lies beyond the ends of a sound has neither energy nor samples and does not count. What sounds
are multiplied by goes in a straight line from the middle of one block to that of the next, and is
constant before the first and behind the last. So a sample depends on what is up to half a window
(and two blocks) away and on nothing else, and a piece of a long sound can be computed alone.
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
SILENCE = 1e-5  # level; what is quieter is not made louder than this would be

GROUP = 128  # blocks whose windows are summed by one product
HALF_WINDOW = int(WINDOW_S * BLOCKS_PER_SECOND) // 2  # blocks before and behind the middle one


def check_level(level: float) -> float:
    """`level` itself if sounds can be brought to it, or 0 to leave them as they are.

    Raises
    ------
    ValueError
        If it is not a number within 0 and 1.

    Examples
    --------
    >>> check_level(-26)
    Traceback (most recent call last):
    ...
    ValueError: level must lie within 0 (sounds as they are) and 1 (full scale), got -26; for \
decibels below full scale write 10 ** (decibels / 20)
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 <= level <= 1:
        raise ValueError(
            f"level must lie within 0 (sounds as they are) and 1 (full scale), got {level!r}; "
            "for decibels below full scale write 10 ** (decibels / 20)"
        )
    return float(level)


def brought_to(
    level: float, audio: Tensor, sample_rate: int, n_samples: int | Tensor | None = None
) -> Tensor:
    """Sounds in memory at another level, shape ``(n_sounds, n_longest)``.

    Parameters
    ----------
    level : float
        Above 0, relative to full scale. Where a sound is below :data:`SILENCE`, it is taken as if
        it was at that.
    audio : Tensor
        ``(n_sounds, n_longest)``, floating point; differentiable. Of a longer sound, the samples
        from the beginning of a block on.
    sample_rate : int
        In Hz, 1,000 or more.
    n_samples : int or Tensor, optional
        How many samples there are from the first of `audio` to the end of the sound, which by
        default is the end of `audio`. Where it is farther, the last samples are wrong
        (:func:`samples_around`). Where operations are recorded, a length that is counted, int64
        ``(1,)``, and `audio` may go on in zeros.

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
    """The samples that set the gains of samples `start` to `stop` of a sound.

    Returns
    -------
    first, last : int
        The beginning of a block, not negative, and the end of another one, which may lie behind
        the end of the sound.

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
    """What each sample is multiplied by."""
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
    # A product with a band matrix for a group of blocks: windows one by one would be copied.
    windows = _kept_windows(audio.dtype, audio.device)
    sums = (tracks.unfold(1, len(windows), GROUP) @ windows).flatten(1)[:, :n_blocks]
    of_blocks = _gains_of_blocks(level, sums)
    ends = torch.cat([of_blocks[:, :1], of_blocks, of_blocks[:, -1:]], dim=1)
    ramps = ends.unfold(1, 2, 1) @ _kept_ramps(block, audio.dtype, audio.device)
    first = _from_middle_on(block)
    return ramps.flatten(1)[:, first : first + audio.shape[1]]


def _recorded_gains(level: float, audio: Tensor, n_samples: Any, block: int) -> Tensor:
    """The same by operations on tensors alone, for any length."""
    # A block more than is needed: there are always several, which export need not ask.
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
    """From energies and, in the last row, numbers of samples within the window of each block."""
    # Only behind the sound there is less than a sample.
    power = (sums[:-1] / sums[-1:].clamp_min(1)).clamp_min(SILENCE**2)
    return level / power.sqrt()


def _window(dtype: torch.dtype, device: torch.device) -> Tensor:
    n_weights = 2 * HALF_WINDOW + 1
    places = torch.arange(1, n_weights + 1, dtype=dtype, device=device)
    return (places * (math.pi / (n_weights + 1))).sin().square()


# Kept, since they cost as much as the rest of a short clip's level; but only for calls that compute
# at once: where operations are recorded, tensors belong to the record.
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
    """Shares of the gains before and behind a sample, ``(2, block)``."""
    with ordinary_tensors():
        after = _share_after(torch.arange(block, device=device), block, dtype)
        return torch.stack([1 - after, after])


def _energies(blocks: Tensor) -> Tensor:
    return torch.linalg.vector_norm(blocks, dim=2).square()


def _from_middle_on(block: int) -> int:
    """Where the first sample stands in its block, if blocks begin with the middle of others."""
    return block - block // 2


def _share_after(places: Tensor, block: int, dtype: torch.dtype) -> Tensor:
    """How far samples of such a block are from one middle to the next, within 0 and 1."""
    return (places.to(dtype) + (0.5 - block % 2 / 2)) / block  # an even block's is between samples
