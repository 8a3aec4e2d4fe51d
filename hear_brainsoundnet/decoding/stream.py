"""A part of a file as presented to libsndfile: with bytes prepended or replaced."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any


@dataclass(frozen=True)
class Stream:
    """One audio stream within a file.

    Attributes
    ----------
    start, stop : int
        Its byte range.
    prefix : bytes
        Bytes prepended to it.
    replaced : dict of int to bytes
        Replacement bytes by position in the file.
    counted : bool
        Whether the stream declares its number of samples, so that fewer mean damage.
    whole : bool
        Whether its end is marked as such, if the format has such a mark.
    """

    start: int
    stop: int
    prefix: bytes = b""
    replaced: dict[int, bytes] = field(default_factory=dict)
    counted: bool = True
    whole: bool = True


class StreamBytes(io.RawIOBase):
    """The bytes of a :class:`Stream`, as a readable file.

    Examples
    --------
    >>> from mmap import mmap
    >>> data = mmap(-1, 6)
    >>> _ = data.write(b"abcdef")
    >>> StreamBytes(data, Stream(1, 5, b"__", {2: b"X"})).read()
    b'__bXde'
    """

    def __init__(self, data: mmap, stream: Stream) -> None:
        self._data = data
        self._stream = stream
        self._first = len(stream.prefix)
        self._length = self._first + stream.stop - stream.start
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        n_read = max(0, min(len(view), self._length - self._place))
        stop = self._place + n_read
        in_prefix = self._stream.prefix[self._place : stop]
        first = max(self._place - self._first, 0) + self._stream.start
        part = bytearray(in_prefix)
        part += self._data[first : first + n_read - len(in_prefix)]
        for place, content in self._stream.replaced.items():
            at = place - self._stream.start + self._first - self._place
            for i, byte in enumerate(content, start=at):
                if 0 <= i < n_read:
                    part[i] = byte
        view[:n_read] = part
        self._place = stop
        return n_read
