"""Interface of all audio readers: mono blocks in sequence, and findings."""

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
MOST_CHANNELS = 64  # seventh-order ambisonics
LOUDEST = 2.0  # decoders overshoot 1 a little, integers stored as floats overshoot it a lot
_EVERY = 7  # frames; a subsample suffices to compare powers
_CANCELLED = 1e-2  # power of the mean relative to the channels'; 1/n if uncorrelated
_CANCEL = "the channels cancel each other (opposite phase)"

Block = NDArray[np.float32]


class Reader(ABC):
    """Audio of one file; `n_samples` is None where it does not follow from the number of bytes, and
    only known after reading.
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
        """Mono float32 blocks ``(n_samples,)``, in a single pass.

        A block may be modified, and is valid until the next one is requested. A ValueError if the
        file turns out to be damaged or truncated.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def findings(self) -> list[str]:
        """Remarks on the audio read so far; empty if nothing is unusual."""
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
        """The mean of the channels, ``(n_frames, n_channels)``; updates the findings."""
        n_channels = channels.shape[1]
        weights = np.full(n_channels, 1 / n_channels, np.float32) / np.float32(full_scale)
        mono: Block
        with np.errstate(over="ignore", invalid="ignore"):  # callers reject non-finite samples
            if n_channels == 1:
                mono = np.multiply(channels[:, 0], weights[0], dtype=np.float32)
            else:
                mono = channels @ weights  # ten times as fast as a mean over two columns
            self._look_at(mono, channels, full_scale)
        return mono

    def _look_at(self, mono: Block, channels: NDArray[Any], full_scale: int) -> None:
        """Update the statistics behind the findings with a block."""
        self._n_read += len(mono)
        if self._peak == 0 or full_scale == 1:  # integers cannot exceed full scale
            self._peak = max(self._peak, float(mono.max(initial=0)), -float(mono.min(initial=0)))
        if channels.shape[1] > 1:
            some, mean = channels[::_EVERY] / np.float32(full_scale), mono[::_EVERY]
            self._power_of_channels += float(np.vdot(some, some)) / channels.shape[1]
            self._power_of_mean += float(np.vdot(mean, mean))


def check_channels(name: str, n_channels: int) -> None:
    """Reject implausibly many channels: a small file may declare gigabytes of them."""
    if n_channels > MOST_CHANNELS:
        raise ValueError(
            f"{name} has {n_channels} channels, at most {MOST_CHANNELS} are averaged; write those "
            "that are meant into a file of their own"
        )


def one_line(error: BaseException) -> str:
    """The text of a library's error on one line, for use in brackets."""
    return printable(" ".join(str(error).split()).rstrip("."))
