"""What all readers of sound files offer: mono blocks from front to back, and what was noticed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.sound_files import printable

BLOCK = 2**17  # samples of all channels together, or the frames of one channel: about 3 s
MOST_CHANNELS = 64  # ambisonics of the seventh order
LOUDEST = 2.0  # decoders overshoot 1 a little, integers stored as floats overshoot it a lot
_EVERY = 7  # frames; a sample of them is enough to compare powers
_CANCELLED = 1e-2  # power of the mean relative to that of the channels, 1/n where they differ
_CANCEL = "the channels cancel each other (opposite phase)"

Block = NDArray[np.float32]


class Reader(ABC):
    """The sound of one file.

    Attributes
    ----------
    path : Path
        The file.
    sample_rate : int
        In Hz.
    n_samples : int or None
        Length, where it follows from the number of bytes; else only reading to the end tells it.
    """

    path: Path
    sample_rate: int
    n_samples: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = printable(path)  # for messages
        self.notes: list[str] = []
        self._n_read = 0
        self._peak = 0.0
        self._power_of_mean = self._power_of_channels = 0.0

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Mono float32 ``(n_samples,)``, to be read once.

        A block may be changed, and is valid until the next one is asked for.

        Raises
        ------
        ValueError
            If the file turns out to be damaged or truncated.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the file back."""

    def findings(self) -> list[str]:
        """What is to be said of the sound, of what was read so far; empty if all is as usual."""
        found = list(self.notes)
        if self._n_read and self._peak == 0:
            if self._power_of_channels == 0:
                found.append("the sound is silent: all samples are 0")
            else:
                found.append(f"{_CANCEL}: their mean is silent")
        elif self._peak > LOUDEST:
            found.append(
                f"samples far beyond full scale: the largest is {self._peak:g} where [-1, 1] is "
                "expected; divide 16-bit samples by 32768"
            )
        elif self._power_of_mean < _CANCELLED * self._power_of_channels:
            ratio = self._power_of_mean / self._power_of_channels
            decibels = f"{-10 * math.log10(ratio):.0f}" if ratio else "over 100"
            found.append(f"{_CANCEL}: their mean is {decibels} dB below them")
        return found

    def _mono(self, channels: NDArray[Any], full_scale: int) -> Block:
        """The mean of the channels, ``(n_frames, n_channels)``, and its share in the findings."""
        n_channels = channels.shape[1]
        weights = np.full(n_channels, 1 / n_channels, np.float32) / np.float32(full_scale)
        mono: Block
        with np.errstate(over="ignore", invalid="ignore"):  # callers refuse what is not finite
            if n_channels == 1:
                mono = np.multiply(channels[:, 0], weights[0], dtype=np.float32)
            else:
                mono = channels @ weights  # ten times as fast as a mean over two columns
            self._look_at(mono, channels, full_scale)
        return mono

    def _look_at(self, mono: Block, channels: NDArray[Any], full_scale: int) -> None:
        """Add a block to what the findings are made of."""
        self._n_read += len(mono)
        if self._peak == 0 or full_scale == 1:  # integers reach no further than full scale
            self._peak = max(self._peak, float(mono.max(initial=0)), -float(mono.min(initial=0)))
        if channels.shape[1] > 1:
            some, mean = channels[::_EVERY] / np.float32(full_scale), mono[::_EVERY]
            self._power_of_channels += float(np.vdot(some, some)) / channels.shape[1]
            self._power_of_mean += float(np.vdot(mean, mean))


def check_channels(name: str, n_channels: int) -> None:
    """Refuse more channels than any sound has: a small file may promise gigabytes of them.

    Raises
    ------
    ValueError
        If there are more than :data:`MOST_CHANNELS`.
    """
    if n_channels > MOST_CHANNELS:
        raise ValueError(
            f"{name} has {n_channels} channels, at most {MOST_CHANNELS} are averaged; write those "
            "that are meant into a file of their own"
        )


def one_line(error: BaseException) -> str:
    """The text of an error of a library, to stand in brackets."""
    return printable(" ".join(str(error).split()).rstrip("."))
