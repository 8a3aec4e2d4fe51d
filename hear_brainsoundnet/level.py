"""The level of a sound, and what brings it to another one.

A network whose layers have biases hears a quiet sound as another sound than a loud one, and a very
quiet one as silence. Where recordings differ in level for reasons of their own (microphones,
distances, conventions of data sets), embeddings are the better for sounds that all come at the
same level.

The level is the root of the power in blocks of a tenth of a second, in the mean over blocks that
each count as much as the energy that they hold. That of a steady sound is its root mean square;
silence before, within or behind a sound does not count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.audio import Sound, TensorSound
from hear_brainsoundnet.modes import is_traced
from hear_brainsoundnet.padding import between_zeros

BLOCKS_PER_SECOND = 10
SILENCE = 1e-5  # level; what is quieter is not made louder than this would be
READ_AT_ONCE = 2**20  # samples
LONGEST_KEPT = 2**22  # samples of a sound that is read once


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


def brought_to(level: float, audio: Tensor, sample_rate: int) -> Tensor:
    """Sounds in memory at another level, shape ``(n_sounds, n_samples)``.

    Parameters
    ----------
    level : float
        Above 0, relative to full scale.
    audio : Tensor
        ``(n_sounds, n_samples)``.
    sample_rate : int
        In Hz.

    Examples
    --------
    >>> brought_to(0.1, torch.tensor([[0.3, -0.3], [0.01, 0.01], [0.0, 0.0]]), sample_rate=20)
    tensor([[ 0.1000, -0.1000],
            [ 0.1000,  0.1000],
            [ 0.0000,  0.0000]])
    """
    if is_traced():
        return audio * _gain(level, _powers(audio, _block(sample_rate))).to(audio)
    return audio * gain_to(level, TensorSound(audio, sample_rate))


def gain_to(level: float, sound: Sound) -> Tensor:
    """What each sound is multiplied by to bring it to `level`; reads it from front to back.

    Parameters
    ----------
    level : float
        Above 0, relative to full scale.
    sound : Sound
        Sounds whose own is below :data:`SILENCE` are taken as if theirs was that.

    Returns
    -------
    Tensor
        Shape ``(n_sounds, 1)``, float32. NaN or 0 where a sound contains NaN or infinity.
    """
    block = _block(sound.sample_rate)
    n_at_once = block * max(1, READ_AT_ONCE // block)
    powers = torch.cat(
        [
            _powers(sound.read(start, min(start + n_at_once, sound.n_samples)), block)
            for start in range(0, sound.n_samples, n_at_once)
        ],
        dim=1,
    )
    return _gain(level, powers)


def with_gain(level: float, sound: Sound) -> tuple[Sound, Tensor]:
    """The same sound from its beginning, and :func:`gain_to`.

    What is short is read once and kept in memory, a long sound is read twice.
    """
    if sound.n_samples <= LONGEST_KEPT:
        sound = TensorSound(sound.read(0, sound.n_samples), sound.sample_rate)
    gain = gain_to(level, sound)
    sound.rewind()
    return sound, gain


def _block(sample_rate: int) -> int:
    return max(1, sample_rate // BLOCKS_PER_SECOND)


def _gain(level: float, powers: Tensor) -> Tensor:
    energy = powers.sum(dim=1, keepdim=True).clamp_min(torch.finfo(powers.dtype).tiny)
    own = powers.square().sum(dim=1, keepdim=True) / energy
    return (level / own.clamp_min(SILENCE**2).sqrt()).float()


def _powers(samples: Tensor, block: int) -> Tensor:
    """Mean square in blocks, ``(n_sounds, n_blocks)``, float64; the last one ends in silence."""
    if is_traced():
        # A block more than is needed: there are always several, which export need not ask.
        squares = F.pad(samples.float(), (0, 2 * block - 1)).square()
        sums = F.conv1d(squares[:, None], squares.new_ones(1, 1, block), stride=block)
        return sums[:, 0].double() / block
    n_needed = -(-samples.shape[1] // block) * block
    samples = between_zeros(samples.float(), 0, n_needed).unflatten(1, (-1, block))
    amplitudes = torch.linalg.vector_norm(samples, dim=2)
    return amplitudes.double().square() / block
