"""The streams of a file as libsndfile should read them: with bytes prepended or replaced.

Repaired are headers that libsndfile misreads: of WAV files written to a pipe, of chained Ogg files,
and of MP3. It takes the length of an MP3 from its length header (Xing, Info) or else estimates it
from the first frames, and never reads beyond that. So a stream without a length header is given one
with its number of frames, and concatenated files are read as separate streams. MP3 frames are
located by following their headers.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

_RIFF = (b"RIFF", b"RF64", b"BW64")
_UNKNOWN = 0xFFFF_FFFF  # a size that means "to the end"
_UNKNOWN_LONG = (bytes(8), b"\xff" * 8)
_BEGINS, _ENDS = 2, 4  # flags of Ogg pages
_SNDFILE = (b"RIFX", b"FORM", b"fLaC", b".snd", b"caff", b"NIST", b"riff", b"dns.", b"Crea")
# kbit/s by (MPEG 1, layer) and the index in the header; layers I, II, III are coded as 3, 2, 1.
_KBITS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LAYER_3 = 1
_SAME_STREAM = 0xFFFE_0C00  # bits constant within a stream: sync, version, layer, rate
_CHAINED = 3  # consecutive frames that distinguish a stream from noise
_SEARCHED = 2**20  # bytes searched for the first frame
_HAS_N_FRAMES = 1  # flag of a length header
_VBRI = 36  # offset in a frame of the other kind of length header


@dataclass(frozen=True)
class Stream:
    """One audio stream within a file: its byte range, bytes prepended to it, and replacement bytes
    by position in the file.

    `counted`: whether it declares its number of samples, so that fewer mean damage. `whole`:
    whether its end is marked as such, if the format has such a mark.
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


def streams_of(data: mmap) -> list[Stream]:
    """The streams that libsndfile should read in sequence."""
    whole = [Stream(0, len(data))]
    if data[:4] in _RIFF and data[8:12] == b"WAVE":
        return [_wav_stream(data)]
    if data[:4] == b"OggS":
        return list(_ogg_streams(data))
    if data[:4] in _SNDFILE:
        return whole
    if data[:3] == b"ID3" and b"fLaC" in data[:4096]:  # libsndfile skips the tag
        return whole
    return mpeg_streams(data) or whole


def _wav_stream(data: mmap) -> Stream:
    """A WAV file; one written to a pipe declares length 0.

    For audio, BW64 differs from RF64 in its name only.
    """
    replaced = {0: b"RF64"} if data[:4] == b"BW64" else {}
    chunks = dict(_wav_chunks(data))
    if (place := chunks.get(b"data")) is not None:
        n_bytes = len(data) - place - 8
        size, announced = (struct.unpack_from("<I", data, at)[0] for at in (place + 4, 4))
        long_sizes = chunks.get(b"ds64")
        if data[:4] == b"RIFF":
            if size == 0 and n_bytes > 0 and announced + 8 != len(data):
                replaced[4] = struct.pack("<I", min(len(data) - 8, _UNKNOWN))
                replaced[place + 4] = struct.pack("<I", min(n_bytes, _UNKNOWN))
        elif long_sizes is not None and data[long_sizes + 16 : long_sizes + 24] in _UNKNOWN_LONG:
            replaced[long_sizes + 8] = struct.pack("<QQ", len(data) - 8, n_bytes)
    return Stream(0, len(data), replaced=replaced)


def _wav_chunks(data: mmap) -> Iterator[tuple[bytes, int]]:
    """Names and positions of chunks, up to the one with the samples."""
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        yield name, place
        if name == b"data":
            return
        place += 8 + size + size % 2


def _ogg_streams(data: mmap) -> Iterator[Stream]:
    """The links of a chained Ogg file: each begins with pages flagged as such."""
    start, begins, ends = 0, True, False
    for place, flags in _ogg_pages(data):
        if flags & _BEGINS and not begins:
            yield Stream(start, place, whole=ends)
            start, ends = place, False
        begins = bool(flags & _BEGINS)
        ends = ends or bool(flags & _ENDS)
    yield Stream(start, len(data), whole=ends)


def _ogg_pages(data: mmap) -> Iterator[tuple[int, int]]:
    place = 0
    while place >= 0 and place + 27 <= len(data):
        if data[place : place + 4] == b"OggS":
            yield place, data[place + 5]
            n_segments = data[place + 26]
            place += 27 + n_segments + sum(data[place + 27 : place + 27 + n_segments])
        else:
            place = data.find(b"OggS", place)


def frame_length(header: int) -> int:
    """Length in bytes of the frame with this 4-byte header; 0 if it is invalid.

    Examples
    --------
    >>> frame_length(0xFFFB9064)  # MPEG 1 layer III, 128 kbit/s, 44,100 Hz, not padded
    417
    """
    version, layer = header >> 19 & 3, header >> 17 & 3
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer == 0 or bitrate in (0, 15) or rate == 3:
        return 0
    bits = _KBITS[version == 3, layer][bitrate - 1] * 1000
    padding = header >> 9 & 1
    if layer == 3:
        return (12 * bits // _RATES[version][rate] + padding) * 4
    slots = 72 if version != 3 and layer == _LAYER_3 else 144
    return slots * bits // _RATES[version][rate] + padding


def find_frame(data: mmap, start: int, most: int = _SEARCHED) -> int | None:
    """Position of the first frame at or after `start`, if there is one within `most` bytes."""
    place = data.find(b"\xff", start, start + most)
    while place >= 0:
        if _is_chain(data, place):
            return place
        place = data.find(b"\xff", place + 1, start + most)
    return None


def mpeg_streams(data: mmap) -> list[Stream]:
    """The streams of an MP3 file; none if it is not one."""
    streams: list[Stream] = []
    start = find_frame(data, after_id3(data, 0))
    while start is not None:
        stream, n_frames = _stream_at(data, start)
        if n_frames >= _CHAINED or not streams:  # the rest of a stream is not another one
            streams.append(stream)
        start = find_frame(data, after_id3(data, stream.stop))
    return streams


def after_id3(data: mmap, place: int) -> int:
    """The first byte after any ID3v2 tags at `place`."""
    while data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        size = 0
        for byte in data[place + 6 : place + 10]:
            size = size << 7 | byte & 0x7F
        place += 10 + size + (10 if data[place + 5] & 0x10 else 0)
    return place


def _stream_at(data: mmap, start: int) -> tuple[Stream, int]:
    """The stream whose first frame is at `start`, and its number of audio frames."""
    if data[start + _VBRI : start + _VBRI + 4] == b"VBRI":  # libsndfile decodes it as audio
        start += frame_length(int.from_bytes(data[start : start + 4]))
    announced = _announced_frames(data, start)
    n_frames, end = 0, start
    for place, length in _frames(data, start):
        is_header = _announced_frames(data, place) is not None
        if place != start and (is_header or (announced is not None and n_frames == announced)):
            break
        n_frames += not is_header
        end = place + length
    header = int.from_bytes(data[start : start + 4])
    prefix = b""
    if announced is None and header >> 17 & 3 == _LAYER_3:
        prefix = _length_header(header, n_frames)
    return Stream(start, end, prefix, counted=announced is not None), n_frames


def _frames(data: mmap, start: int) -> Iterator[tuple[int, int]]:
    """Position and length of the frames of a stream; damaged ones are skipped."""
    kind = int.from_bytes(data[start : start + 4]) & _SAME_STREAM
    place = start
    while place + 4 <= len(data):
        header = int.from_bytes(data[place : place + 4])
        length = frame_length(header)
        if length == 0 or header & _SAME_STREAM != kind:
            found = find_frame(data, after_id3(data, place))
            if found is None or int.from_bytes(data[found : found + 4]) & _SAME_STREAM != kind:
                return
            place = found
            continue
        if place + length > len(data):
            return
        yield place, length
        place += length


def _is_chain(data: mmap, place: int) -> bool:
    """Whether the frame at `place` is followed by others of its kind or the end of the file."""
    kind = int.from_bytes(data[place : place + 4]) & _SAME_STREAM
    for _ in range(_CHAINED):
        header = int.from_bytes(data[place : place + 4])
        length = frame_length(header)
        if length == 0 or header & _SAME_STREAM != kind or place + length > len(data):
            return False
        place += length
        if place == len(data):
            return True
    return True


def _announced_frames(data: mmap, place: int) -> int | None:
    """Number of frames that follow, if the frame at `place` is a length header."""
    header = int.from_bytes(data[place : place + 4])
    tag = place + _tag_offset(header)
    if data[tag : tag + 4] not in (b"Xing", b"Info") or header >> 17 & 3 != _LAYER_3:
        return None
    has_number = data[tag + 7] & _HAS_N_FRAMES
    return int.from_bytes(data[tag + 8 : tag + 12]) if has_number else None


def _tag_offset(header: int) -> int:
    mono, mpeg_1 = header >> 6 & 3 == 3, header >> 19 & 3 == 3
    if mpeg_1:
        return 4 + (17 if mono else 32)
    return 4 + (9 if mono else 17)


def _length_header(header: int, n_frames: int) -> bytes:
    """A frame of the same kind without audio that declares the number of frames."""
    header = header & ~0xF200 | 0x1_0000 | 9 << 12  # not padded, no checksum, large enough
    tag = b"Xing" + _HAS_N_FRAMES.to_bytes(4) + n_frames.to_bytes(4)
    frame = header.to_bytes(4).ljust(_tag_offset(header), b"\0") + tag
    return frame.ljust(frame_length(header), b"\0")
