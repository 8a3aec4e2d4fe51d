"""Sounds: tensors that are checked before use, and files that are read piece by piece.

Both offer what :class:`Sound` names, so that one path through the network serves them. Files are
read with `soundfile` (WAV, FLAC, Ogg, MP3 and what else libsndfile knows); channels are averaged.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

LOUDEST = 2.0  # decoders overshoot 1 a little, integers stored as floats overshoot it a lot


class Sound(Protocol):
    """Equally long mono sounds that can be read from front to back, piece by piece.

    Attributes
    ----------
    sample_rate, n_sounds, n_samples : int
        Rate in Hz, number of sounds, length of each in samples.
    """

    sample_rate: int
    n_sounds: int
    n_samples: int

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, shape ``(n_sounds, stop - start)``; starts never decrease."""
        ...

    def rewind(self) -> None:
        """Go back to the front, to be read once more."""
        ...


class TensorSound:
    """Sounds in memory, shape ``(n_sounds, n_samples)``."""

    def __init__(self, audio: Tensor, sample_rate: int) -> None:
        self.audio = audio
        self.sample_rate = sample_rate
        self.n_sounds, self.n_samples = audio.shape

    def read(self, start: int, stop: int) -> Tensor:
        return self.audio[:, start:stop]

    def rewind(self) -> None:
        pass


def check_audio(audio: object) -> Tensor:
    """`audio` itself if it is a batch of mono sounds.

    Returns
    -------
    Tensor
        Floating point, shape ``(n_sounds, n_samples)``, neither of them 0.

    Raises
    ------
    TypeError
        If it is not a tensor.
    ValueError
        For another rank, integers, or no samples. (NaN and infinity are found when the samples
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
    """See that samples are numbers; warn of those that are far beyond full scale.

    Raises
    ------
    ValueError
        If one is NaN or infinite.
    """
    lowest, highest = torch.aminmax(samples.detach())  # NaN if there is one
    peak = float(torch.maximum(-lowest, highest))
    if not math.isfinite(peak):
        what = "NaN" if bool(samples.isnan().any()) else "infinity"
        raise ValueError(
            f"expected audio within [-1, 1], got {what}; replace or leave out such samples"
        )
    if peak > LOUDEST:
        warnings.warn(
            f"audio reaches {peak:g} where [-1, 1] is expected; divide 16-bit samples by 32768",
            UserWarning,
            stacklevel=2,
        )


class AudioFile:
    """One audio file as a mono :class:`Sound`, read from front to back.

    Parameters
    ----------
    path : path-like
        An audio file of any rate and any number of channels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty, not audio, or has no samples; while reading, if it ends early.

    Examples
    --------
    >>> with AudioFile("dog.wav") as sound:  # doctest: +SKIP
    ...     embeddings = model.embed(sound)
    """

    n_sounds = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no such audio file: {self.path}")
        if self.path.is_file() and self.path.stat().st_size == 0:
            raise ValueError(f"{self.path} is empty (0 bytes)")
        self._open()
        self.sample_rate = int(self._file.samplerate)
        self.n_samples = int(self._file.frames)
        if self.n_samples == 0:
            self.close()
            raise ValueError(f"{self.path} contains no samples")

    def _open(self) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(self.path)
        except (soundfile.SoundFileError, TypeError, OSError) as error:
            raise ValueError(
                f"{self.path} cannot be read as audio ({_one_line(error)}); expected WAV, FLAC, "
                "Ogg, MP3 or another format of libsndfile"
            ) from error
        self._held = torch.zeros(1, 0)
        self._held_start = 0

    def rewind(self) -> None:
        self.close()
        self._open()

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.n_samples / self.sample_rate

    def read(self, start: int, stop: int) -> Tensor:
        import soundfile

        if start < self._held_start:
            raise ValueError(f"{self.path} is read from front to back, cannot go back to {start}")
        held_stop = self._held_start + self._held.shape[1]
        while held_stop < start:  # step over what nobody wants
            held_stop += self._read_next(min(start - held_stop, 2**20)).shape[1]
            self._held, self._held_start = torch.zeros(1, 0), held_stop
        kept = self._held[:, start - self._held_start :]
        if held_stop < stop:
            try:
                kept = torch.cat([kept, self._read_next(stop - held_stop)], dim=1)
            except soundfile.SoundFileError as error:
                raise ValueError(f"{self.path} is damaged ({_one_line(error)})") from error
        self._held, self._held_start = kept, start
        return kept[:, : stop - start]

    def _read_next(self, n_samples: int) -> Tensor:
        channels = self._file.read(n_samples, dtype="float32", always_2d=True)
        if len(channels) < n_samples:
            raise ValueError(
                f"{self.path} ends after {self._file.tell()} of {self.n_samples} samples: "
                "it is truncated"
            )
        mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
        return torch.from_numpy(np.ascontiguousarray(mono))[None, :]

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
