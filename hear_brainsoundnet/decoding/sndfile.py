"""Audio files read by libsndfile: WAV, FLAC, Ogg, MP3, AIFF, CAF and more."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from hear_brainsoundnet.decoding.reader import BLOCK, Block, Reader, check_channels, one_line
from hear_brainsoundnet.decoding.streams import Stream, StreamBytes, streams_of

_SIZE_SLACK = 4096  # bytes: headers that are off by some padding are common and harmless
_STREAMED = 0x7EFF_0000  # larger sizes mean "unknown" in piped files
_UNKNOWN_LENGTH = 2**62  # samples
_LENGTH_SLACK = 2 * 1152  # samples: two frames of MP3, which encoders count in several ways
# Coded sample by sample, so that the number of samples follows from the number of bytes.
_SAMPLE_BY_SAMPLE = re.compile(r"PCM_\w+|FLOAT|DOUBLE|ULAW|ALAW")


class _ReadAhead(soundfile.SoundFile):
    """A file that is only read sequentially: soundfile otherwise seeks after every read, which
    stream decoders handle badly, and stops at the declared length.
    """

    def seekable(self) -> bool:
        return False


class SndfileReader(Reader):
    """Audio of a file that libsndfile can read.

    Raises
    ------
    soundfile.SoundFileError
        If libsndfile does not know its format.
    ValueError
        If it is truncated, or has too many channels.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._open_file: soundfile.SoundFile | None = None
        try:
            self._streams = streams_of(self._data)
            first = self._open(self._streams[0])
            check_channels(self.name, first.channels)
        except BaseException:
            self.close()
            raise
        self.sample_rate = int(first.samplerate)
        if first.format != "FLAC" and _SAMPLE_BY_SAMPLE.fullmatch(first.subtype):
            self.n_samples = int(first.frames)
        if not self._streams[-1].whole:
            self.notes.append("the file has no end mark: it may be truncated")

    def blocks(self) -> Iterator[Block]:
        for i, stream in enumerate(self._streams):
            try:
                file = self._open_file if i == 0 else self._open(stream)
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"{self.name} is damaged: of {len(self._streams)} sounds in it one cannot be "
                    "read; copy it again"
                ) from error
            yield from self._blocks(stream, file)

    def close(self) -> None:
        if self._open_file is not None:
            self._open_file.close()
        self._data.close()

    def _open(self, stream: Stream) -> Any:
        if self._open_file is not None:
            self._open_file.close()
        is_file = stream == Stream(0, len(self._data))
        # As bytes, since soundfile does not accept names that are not UTF-8.
        source = os.fsencode(self.path) if is_file else StreamBytes(self._data, stream)
        self._open_file = _ReadAhead(source)
        return self._open_file

    def _blocks(self, stream: Stream, file: Any) -> Iterator[Block]:
        if file.samplerate != self.sample_rate:
            raise ValueError(
                f"{self.name} changes from {self.sample_rate} to {file.samplerate} Hz; convert it "
                "with ffmpeg"
            )
        check_channels(self.name, file.channels)
        self._check_size(file)
        # libsndfile takes five times as long to read 16-bit samples as floats, which give the
        # same numbers: division by 2**15 is exact in both.
        dtype, full_scale = (np.int16, 2**15) if file.subtype == "PCM_16" else (np.float32, 1)
        n_at_once = max(1, min(BLOCK // file.channels, file.frames))
        buffer = np.empty((n_at_once, file.channels), dtype=dtype)
        expected = file.frames if stream.counted and file.frames < _UNKNOWN_LENGTH else None
        n_read = 0
        while True:
            try:
                channels = file.read(out=buffer)
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"{self.name} is damaged or truncated after {n_read} samples "
                    f"({one_line(error)}); copy it again"
                ) from error
            if len(channels) == 0:
                break
            n_read += len(channels)
            yield self._mono(channels, full_scale)
        if expected is not None and n_read < expected - _LENGTH_SLACK * (file.format == "MP3"):
            raise ValueError(
                f"{self.name} is truncated: it ends after {n_read} of {expected} samples; copy it "
                "again"
            )

    def _check_size(self, file: Any) -> None:
        """Reject a truncated file; libsndfile trusts the file size over the header's and notes
        it."""
        for declared, there in re.findall(r": (\d+) \(should be (\d+)\)", file.extra_info):
            if int(there) + _SIZE_SLACK < int(declared) < _STREAMED:
                raise ValueError(
                    f"{self.name} is truncated: its header declares {declared} bytes, {there} are "
                    "there; copy it again"
                )
