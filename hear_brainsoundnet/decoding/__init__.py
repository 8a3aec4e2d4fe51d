"""Any sound file or film as mono float32 blocks, from front to back, in bounded memory.

What libsndfile knows it reads (:mod:`.sndfile`); what it does not know, PyAV does where it is
installed (:mod:`.containers`). Everything is read to its end: the number of samples that a file
tells is believed only where it follows from the number of its bytes. Channels are averaged, each
with the same weight.

A file that ends early is an error wherever the file itself tells its length: WAV, AIFF, FLAC, MP3
with a length header, Matroska, MP4. (A cut Ogg file looks like a shorter one: a finding.)
"""

from __future__ import annotations

from pathlib import Path

from hear_brainsoundnet.decoding.headers import is_container, what_it_is_instead
from hear_brainsoundnet.decoding.reader import Reader, one_line
from hear_brainsoundnet.sound_files import printable

__all__ = ["Reader", "open_sound"]


def open_sound(path: Path, audio_stream: int | None = None) -> Reader:
    """A reader of the sound of a file, whatever its name; to be closed.

    Parameters
    ----------
    path : Path
        A sound file or film.
    audio_stream : int, optional
        Which of several sound tracks, counted from 0.

    Raises
    ------
    ValueError
        If it is no regular file, empty, no sound, or has more channels than can be averaged.
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
        if "possibly a pipe" in reason:  # what libsndfile says where the MP3 decoder gives up
            reason = "damaged, or no sound"
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
