"""Audio inputs: validated tensors, and files read chunk by chunk.

Both implement :class:`Sound`, so that a single path through the network serves them. Files are
decoded by :mod:`hear_brainsoundnet.decoding`; channels are averaged.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from hear_brainsoundnet.decoding import open_sound
from hear_brainsoundnet.decoding.reader import LOUDEST
from hear_brainsoundnet.sound_files import printable

LONGEST_KEPT = 2**22  # samples of a file that are kept in memory
NO_SAMPLE = 2.0**32  # beyond the range of the widest integers written as floats


class Sound(Protocol):
    """Batch of mono clips of equal length, read sequentially in chunks.

    Attributes
    ----------
    sample_rate, n_sounds, n_samples : int
        Rate in Hz, number of clips, length of each in samples.
    """

    sample_rate: int
    n_sounds: int
    n_samples: int

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, shape ``(n_sounds, stop - start)``; starts never decrease."""
        ...

    def rewind(self) -> None:
        """Go back to the beginning, to be read again."""
        ...


class TensorSound:
    """Clips in memory, shape ``(n_sounds, n_samples)``."""

    def __init__(self, audio: Tensor, sample_rate: int) -> None:
        self.audio = audio
        self.sample_rate = sample_rate
        self.n_sounds, self.n_samples = audio.shape

    def read(self, start: int, stop: int) -> Tensor:
        return self.audio[:, start:stop]

    def rewind(self) -> None:
        pass


def check_audio(audio: object) -> Tensor:
    """`audio` itself if it is a valid batch of mono clips.

    Returns
    -------
    Tensor
        Floating point, shape ``(n_sounds, n_samples)``, neither of them 0.

    Raises
    ------
    TypeError
        If it is not a tensor.
    ValueError
        For another rank, integers, or no samples. (NaN and infinity are detected when the samples
        are read: :func:`check_samples`.)

    Examples
    --------
    >>> check_audio(torch.zeros(16000))
    Traceback (most recent call last):
    ...
    ValueError: expected audio of shape (n_sounds, n_samples), got (16000,); for one sound use \
audio[None, :]
    """
    if not isinstance(audio, Tensor):
        raise TypeError(
            f"expected audio as a torch.Tensor, got {type(audio).__name__}; "
            "convert an array with torch.from_numpy(audio)"
        )
    shape = tuple(audio.shape)
    if audio.ndim == 1:
        raise ValueError(
            f"expected audio of shape (n_sounds, n_samples), got {shape}; "
            "for one sound use audio[None, :]"
        )
    if audio.ndim != 2:
        raise ValueError(
            f"expected audio of shape (n_sounds, n_samples), got {shape}; "
            "average the channels first, for example with audio.mean(dim=1)"
        )
    if not audio.is_floating_point():
        raise ValueError(
            f"expected floating-point audio within [-1, 1], got {audio.dtype}; "
            "divide 16-bit integers by 32768"
        )
    if 0 in shape:
        raise ValueError(
            f"expected at least one sound of at least one sample, got shape {shape}; "
            "leave empty sounds out"
        )
    return audio


def check_samples(samples: Tensor) -> None:
    """Check that samples are finite; warn if they are far beyond full scale.

    Raises
    ------
    ValueError
        If one is NaN, infinite, or too large to be an audio sample.
    """
    lowest, highest = torch.aminmax(samples.detach())  # NaN if there is one
    peak = float(torch.maximum(-lowest, highest))
    if not math.isfinite(peak):
        what = "NaN" if bool(samples.isnan().any()) else "infinity"
        raise ValueError(
            f"expected audio within [-1, 1], got {what}; replace or leave out such samples"
        )
    if peak > NO_SAMPLE:
        raise ValueError(
            f"audio reaches {peak:g} where [-1, 1] is expected, which no sound does: the file is "
            "damaged, or its byte order another; export it again"
        )
    if peak > LOUDEST:
        warnings.warn(
            f"audio reaches {peak:g} where [-1, 1] is expected; divide 16-bit samples by 32768",
            UserWarning,
            stacklevel=2,
        )


class AudioFile:
    """One audio or video file as a mono :class:`Sound`, read sequentially.

    Where the header does not determine the length, the file is read once to count samples; short
    files are then kept in memory.

    Parameters
    ----------
    path : path-like
        An audio or video file (:mod:`hear_brainsoundnet.decoding`) of any rate.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, not audio, has no samples or too many channels; here or while reading, if it
        is damaged or ends early.

    Examples
    --------
    >>> with AudioFile("dog.wav") as sound:  # doctest: +SKIP
    ...     embeddings = model.embed(sound)
    """

    n_sounds = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no such audio file: {printable(self.path)}")
        self._whole: Tensor | None = None
        self._held, self._start = torch.zeros(1, 0), 0
        self._open()
        try:
            self.n_samples = self._count()
            if self.n_samples == 0:
                raise ValueError(f"{printable(self.path)} contains no samples")
        except BaseException:
            self.close()
            raise

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.n_samples / self.sample_rate

    def findings(self) -> list[str]:
        """Remarks on the part read so far, for example that it is silent."""
        return self._reader.findings()

    def read(self, start: int, stop: int) -> Tensor:
        if start < self._start:
            raise ValueError(f"{self.path} is read from front to back, cannot go back to {start}")
        if self._whole is not None:
            self._start = start
            return self._whole[:, start:stop]
        while self._start + self._held.shape[1] < start:  # skip samples that were not requested
            self._start += self._held.shape[1]
            self._held = self._next_block()
        parts = [self._held[:, start - self._start :]]
        n_held = parts[0].shape[1]
        while n_held < stop - start:
            parts.append(self._next_block())
            n_held += parts[-1].shape[1]
        self._held, self._start = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), start
        return self._held[:, : stop - start]

    def rewind(self) -> None:
        self._start = 0
        if self._whole is None:
            self.close()
            self._open()

    def close(self) -> None:
        self._reader.close()

    def _open(self) -> None:
        self._reader = open_sound(self.path)
        self.sample_rate = self._reader.sample_rate
        self._blocks = self._reader.blocks()
        self._held, self._start = torch.zeros(1, 0), 0

    def _count(self) -> int:
        """The number of samples; a short file is kept while it is counted."""
        if self._reader.n_samples is not None:
            return self._reader.n_samples
        kept: list[Tensor] = []
        n_samples = 0
        for block in self._blocks:
            n_samples += len(block)
            if n_samples <= LONGEST_KEPT:
                kept.append(torch.from_numpy(block.copy()))
            else:
                kept.clear()
        if 0 < n_samples <= LONGEST_KEPT:
            self._whole = torch.cat(kept)[None]
        else:
            self.rewind()
        return n_samples

    def _next_block(self) -> Tensor:
        block = next(self._blocks, None)
        if block is None:
            raise ValueError(
                f"{printable(self.path)} ends before sample {self.n_samples}: it is truncated, or "
                "was changed while it was read"
            )
        return torch.from_numpy(block.copy())[None]

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
