"""Decoding of audio and video files to mono float32 blocks, sequentially, in bounded memory.

Formats known to libsndfile are read by it (:mod:`.sndfile`), others by PyAV if it is
installed (:mod:`.containers`). Everything is read to its end: a declared number of samples is
trusted only if it follows from the number of bytes. Channels are averaged with equal weights.

A file that ends early is an error if it declares its length: WAV, AIFF, FLAC, MP3
with a length header, Matroska, MP4. (A truncated Ogg file looks like a shorter one: a finding.)
"""

from __future__ import annotations

from pathlib import Path

from hear_brainsoundnet.decoding.reader import Reader, one_line
from hear_brainsoundnet.sound_files import printable

__all__ = ["Reader", "open_sound"]

# Video containers, and audio formats that libsndfile mistakes for MP3.
_CONTAINERS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75", b"\0\0\x01\xba", b"#!AMR")
_NO_SOUND = {
    b"<!doctype html": "a web page (HTML), which servers send when the file is not there; fetch it "
    "again",
    b"<html": "a web page (HTML), which servers send when the file is not there; fetch it again",
    b"<?xml": "an XML file and no sound; look into it with a text editor",
    b"version https://git-lfs": "a pointer of Git LFS and not the sound itself; run git lfs pull",
    b"/annex/objects/": "a pointer of git-annex and not the sound itself; run git annex get",
}


def open_sound(path: Path, audio_stream: int | None = None) -> Reader:
    """Open a reader of the audio of a file, whatever its suffix; to be closed.

    `audio_stream` is the index of the audio track, from 0.

    Raises
    ------
    ValueError
        If it is not a regular file, is empty, has no audio, or too many channels.
    OSError
        If it cannot be opened.
    """
    name = printable(path)
    if not path.is_file():
        raise ValueError(
            f"{name} cannot be read as audio: it is no regular file but a folder, pipe or device; "
            "give the name of a file, and write what a pipe holds into one first"
        )
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise ValueError(f"{name} is empty (0 bytes); copy it again")
    if reason := what_it_is_instead(head):
        raise ValueError(f"{name} cannot be read as audio: it is {reason}")
    if is_container(head):
        return _container_reader(path, audio_stream)

    import soundfile

    from hear_brainsoundnet.decoding.sndfile import SndfileReader

    try:
        return SndfileReader(path)
    except (soundfile.SoundFileError, TypeError) as error:
        reason = one_line(error).rpartition(": ")[2]
        if "possibly a pipe" in reason:  # libsndfile's message when the MP3 decoder gives up
            reason = "damaged, or not audio"
    try:
        return _container_reader(path, audio_stream)
    except ValueError as error:
        raise ValueError(
            f"{name} cannot be read as audio ({reason}); expected WAV, FLAC, Ogg, MP3 or another "
            f"format of libsndfile, or a film where PyAV is installed: copy it again or convert it "
            "with ffmpeg"
        ) from error


def _container_reader(path: Path, audio_stream: int | None) -> Reader:
    from hear_brainsoundnet.decoding.containers import ContainerReader

    return ContainerReader(path, audio_stream)


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
