"""Frames of MP3 files, counted by hopping over them."""

from mmap import mmap

import odd_sounds as odd
import pytest

from hear_brainsoundnet.decoding.streams import frame_length, mpeg_streams

MP3 = odd.encoded("MP3")


def mapped(content):
    data = mmap(-1, len(content))
    data.write(content)
    return data


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (0xFFFB9064, 417),  # MPEG 1 layer III: 144 * 128,000 / 44,100
        (0xFFFB9264, 418),  # padded
        (0xFFF38064, 208),  # MPEG 2 layer III: 72 * 64,000 / 22,050
        (0xFFE38064, 417),  # MPEG 2.5 layer III: 72 * 64,000 / 11,025
        (0xFFFD8064, 1253 // 3),  # MPEG 1 layer II: 144 * 128,000 / 44,100
        (0xFFFF4064, 136),  # MPEG 1 layer I: 12 * 128,000 / 44,100 slots of 4 bytes
        (0xFFFBF064, 0),  # no such bit rate
        (0xFFFB9C64, 0),  # no such rate
        (0xFFEB9064, 0),  # no such version
        (0xFFD8FFE0, 0),  # the beginning of a JPEG picture
        (0, 0),
    ],
)
def test_length_of_a_frame(header, length):
    assert frame_length(header) == length


def test_streams_of_joined_files_begin_where_these_do():
    parts = [odd.id3(100), MP3, odd.id3(30), MP3, b"TAG" + bytes(125)]
    streams = mpeg_streams(mapped(b"".join(parts)))
    assert [stream.start for stream in streams] == [110, 110 + len(MP3) + 40]
    assert all(stream.stop - stream.start == len(MP3) for stream in streams)
    assert all(stream.counted and not stream.prefix for stream in streams)


def test_a_stream_without_length_header_is_given_one():
    bare = odd.without_length_header(MP3)
    (stream,) = mpeg_streams(mapped(bare))
    assert (stream.start, stream.stop, stream.counted) == (0, len(bare), False)
    assert len(stream.prefix) == frame_length(int.from_bytes(stream.prefix[:4]))
    n_frames = int.from_bytes(stream.prefix[stream.prefix.find(b"Xing") + 8 :][:4])
    (with_header,) = mpeg_streams(mapped(stream.prefix + bare))
    assert with_header.counted
    assert n_frames == -(-(2 * odd.RATE + 1105) // 1152)  # with the delays of encoder and decoder


def test_noise_is_no_stream():
    import numpy as np

    assert mpeg_streams(mapped(np.random.default_rng(0).bytes(2**20))) == []
    assert mpeg_streams(mapped(b"\xff" * 2**16)) == []
