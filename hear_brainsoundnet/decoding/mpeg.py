"""Streams of an MP3 file, located by following frame headers.

libsndfile takes the length of an MP3 from its length header (Xing, Info) or else estimates it from
the first frames, and never reads beyond that. So a stream without a length header is given one
with its number of frames, and concatenated files are read as separate streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from hear_brainsoundnet.decoding.stream import Stream

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
