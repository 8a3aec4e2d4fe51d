"""File signatures, and repairs of headers that libsndfile misreads."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap

from hear_brainsoundnet.decoding.mpeg import mpeg_streams
from hear_brainsoundnet.decoding.stream import Stream

_RIFF = (b"RIFF", b"RF64", b"BW64")
_UNKNOWN = 0xFFFF_FFFF  # a size that means "to the end"
_UNKNOWN_LONG = (bytes(8), b"\xff" * 8)
_BEGINS, _ENDS = 2, 4  # flags of Ogg pages
# Video containers, and audio formats that libsndfile mistakes for MP3.
_CONTAINERS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75", b"\0\0\x01\xba", b"#!AMR")
_SNDFILE = (b"RIFX", b"FORM", b"fLaC", b".snd", b"caff", b"NIST", b"riff", b"dns.", b"Crea")
_NO_SOUND = {
    b"<!doctype html": "a web page (HTML), which servers send when the file is not there; fetch it "
    "again",
    b"<html": "a web page (HTML), which servers send when the file is not there; fetch it again",
    b"<?xml": "an XML file and no sound; look into it with a text editor",
    b"version https://git-lfs": "a pointer of Git LFS and not the sound itself; run git lfs pull",
    b"/annex/objects/": "a pointer of git-annex and not the sound itself; run git annex get",
}


def what_it_is_instead(head: bytes) -> str:
    """Description of a file often mistaken for audio; empty if it is none of these.

    Examples
    --------
    >>> what_it_is_instead(b"<!DOCTYPE html><html>")[:17]
    'a web page (HTML)'
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((words for begin, words in _NO_SOUND.items() if text.startswith(begin)), "")


def is_container(head: bytes) -> bool:
    """Whether only PyAV can read it, judging by the first bytes."""
    is_adts = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return head.startswith(_CONTAINERS) or head[4:8] == b"ftyp" or is_adts or is_avi


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
