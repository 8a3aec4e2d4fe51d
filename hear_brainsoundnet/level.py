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
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.modes import is_traced

WINDOW_S = 4.0  # about the receptive field of the deepest stage
BLOCKS_PER_SECOND = 80
SILENCE = 1e-5  # level; what is quieter is not made louder than this would be

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
        How many samples there are from the first of `audio` to the end of the sound; int64
        ``(1,)`` where operations are recorded. By default `audio` is the whole sound. Where it is
        more than `audio` has, the last samples are wrong (:func:`samples_around`); where it is
        less, what is behind the sound has to be zero.

    Examples
    --------
    >>> tone = 0.3 * torch.sin(torch.arange(8000) / 3)[None]
    >>> brought_to(0.1, torch.cat([tone, tone / 64]), sample_rate=8000).square().mean(1).sqrt()
    tensor([0.1000, 0.1000])
    """
    block = _block(sample_rate)
    n_samples = audio.shape[1] if n_samples is None else n_samples
    energies = _energies(audio.to(torch.promote_types(audio.dtype, torch.float32)), block)
    first = torch.arange(energies.shape[1], device=audio.device) * block
    numbers = (n_samples - first).clamp(0, block).to(energies)
    smooth = _smoothed(torch.cat([energies, numbers[None]]))
    # The number is below 1 only around blocks that lie behind the sound.
    power = (smooth[:-1] / smooth[-1:].clamp_min(1)).clamp_min(SILENCE**2)
    last = (n_samples - 1) // block
    if isinstance(last, int):
        last = min(last, energies.shape[1] - 1)
    gain = _from_middle_to_middle(level / power.sqrt(), last, audio.shape[1], block)
    return (audio * gain).to(audio.dtype)


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


def _energies(audio: Tensor, block: int) -> Tensor:
    """Sums of squares of blocks, ``(n_sounds, n_blocks)``; the last one ends in silence."""
    if is_traced():
        # A block more than is needed: there are always several, which export need not ask.
        squares = F.pad(audio, (0, 2 * block - 1)).square()
        return F.conv1d(squares[:, None], squares.new_ones(1, 1, block), stride=block)[:, 0]
    whole = audio.shape[1] // block * block
    energies = _squared_norms(audio[:, :whole].unflatten(1, (-1, block)))
    if whole == audio.shape[1]:
        return energies
    return torch.cat([energies, _squared_norms(audio[:, None, whole:])], dim=1)


def _squared_norms(blocks: Tensor) -> Tensor:
    return torch.linalg.vector_norm(blocks, dim=2).square()


def _smoothed(tracks: Tensor) -> Tensor:
    """Sums over the window around each block."""
    n_weights = 2 * HALF_WINDOW + 1
    places = torch.arange(1, n_weights + 1, dtype=tracks.dtype, device=tracks.device)
    window = (places * (math.pi / (n_weights + 1))).sin().square()
    return F.conv1d(tracks[:, None], window[None, None], padding=HALF_WINDOW)[:, 0]


def _from_middle_to_middle(gains: Tensor, last: Any, n_samples: Any, block: int) -> Tensor:
    """From gains of blocks to those of samples, those behind block `last` not looked at."""
    skipped = block - block // 2  # of the block that ends in the middle of the first
    shift = 0.5 - block % 2 / 2  # an even number of samples has none in its middle
    if is_traced():
        places = torch.arange(n_samples, device=gains.device) + skipped
        share = ((places % block).to(gains) + shift) / block
        behind = places // block
        before = (behind - 1).clamp_min(0).clamp_max(last)
        behind = behind.clamp_max(last)
        return gains[:, before] * (1 - share) + gains[:, behind] * share
    share = (torch.arange(block, dtype=gains.dtype, device=gains.device) + shift) / block
    gains = gains[:, : last + 1]
    gains = torch.cat([gains[:, :1], gains, gains[:, -1:]], dim=1)
    both = torch.stack([gains[:, :-1], gains[:, 1:]], dim=2)
    ramps = both @ torch.stack([1 - share, share])
    return ramps.flatten(1)[:, skipped : skipped + n_samples]
