"""Any audio or video file as mono float32 blocks, from front to back, in bounded memory.

Audio files are read with `soundfile`, containers (films, .m4a) with PyAV, which decodes their
first audio stream and nothing else. Channels are averaged, each with the same weight.

A file that ends early shifts nothing but leaves part of a run without its sound, so it is an error
wherever the file itself tells its length: WAV, AIFF, FLAC, MP3 with a length header, Matroska,
MP4. (A cut Ogg file looks like a shorter one.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.sound_files import AUDIO_SUFFIXES
from training.prepared import INT16_SCALE

CONTAINER_SUFFIXES = frozenset({".mkv", ".mp4", ".mov", ".webm", ".avi", ".m4a", ".aac"})
BLOCK = 2**17  # samples: about three seconds

# Time stamps are often rounded to milliseconds; what differs by more than this is a real gap.
_GAP_S = 0.05
_OVERLAP_S = 0.5
_SHORTAGE_S = 1.0
_SIZE_SLACK = 4096  # bytes: headers that are off by some padding are common and harmless
_STREAMED = 0x7FFF_0000  # sizes beyond stand for "unknown" in files that were piped


@dataclass(frozen=True)
class Soundtrack:
    """The sound of a file.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    blocks : iterator of ndarray
        float32 ``(n_samples,)``, to be read once; a block may be changed, and is only valid until
        the next one is asked for.
    """

    sample_rate: int
    blocks: Iterator[NDArray[np.float32]]


@contextmanager
def open_soundtrack(path: Path) -> Iterator[Soundtrack]:
    """Open a file for decoding.

    Raises
    ------
    ValueError
        If it is missing, empty, not audio, without samples; while reading, if it is damaged,
        truncated, or holds NaN or infinite samples.
    """
    kind = path.suffix.lower()
    if kind not in AUDIO_SUFFIXES | CONTAINER_SUFFIXES:
        known = ", ".join(sorted(AUDIO_SUFFIXES | CONTAINER_SUFFIXES))
        raise ValueError(f"{path}: expected an audio or video file ({known}), got {kind or path}")
    if not path.is_file():
        raise ValueError(f"{path} is missing or no file; check the path of the stimulus")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes); copy it again")
    opened = _open_audio(path) if kind in AUDIO_SUFFIXES else _open_container(path)
    with opened as soundtrack:
        yield Soundtrack(soundtrack.sample_rate, _checked(path, soundtrack))


def _checked(path: Path, soundtrack: Soundtrack) -> Iterator[NDArray[np.float32]]:
    """The blocks themselves, as long as they can be resampled."""
    n_samples = 0
    for block in soundtrack.blocks:
        if not np.isfinite(block.sum()) and not (finite := np.isfinite(block)).all():
            at = (n_samples + int(np.argmin(finite))) / soundtrack.sample_rate
            raise ValueError(
                f"{path} holds NaN or infinite samples, the first at {at:.3f} s; export it anew"
            )
        n_samples += len(block)
        yield block
    if n_samples == 0:
        raise ValueError(f"{path} contains no samples; copy or export it again")


@contextmanager
def _open_audio(path: Path) -> Iterator[Soundtrack]:
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, TypeError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as audio ({_one_line(error)}); expected WAV, FLAC, Ogg, MP3 or "
            "another format of libsndfile: copy it again or convert it with ffmpeg"
        ) from error
    with file:
        # libsndfile believes the size of the file rather than that in the header, and notes it.
        for declared, there in re.findall(r": (\d+) \(should be (\d+)\)", file.extra_info):
            if int(there) + _SIZE_SLACK < int(declared) < _STREAMED:
                raise ValueError(
                    f"{path} is truncated: its header tells of {declared} bytes, {there} are "
                    "there; copy it again"
                )
        yield Soundtrack(int(file.samplerate), _audio_blocks(path, file))


def _audio_blocks(path: Path, file: Any) -> Iterator[NDArray[np.float32]]:
    import soundfile

    # libsndfile takes five times as long to read 16-bit samples as floats, which are then the same
    # numbers: a division by 2**15 is exact, here as well as there.
    dtype, full_scale = (np.int16, INT16_SCALE) if file.subtype == "PCM_16" else (np.float32, 1)
    weights = np.full(file.channels, 1 / file.channels, dtype=np.float32) / np.float32(full_scale)
    buffer = np.empty((BLOCK, file.channels), dtype=dtype)  # new memory takes twice the time
    n_frames = file.frames
    n_samples = 0
    while n_samples < n_frames:
        try:
            channels = file.read(out=buffer)
        except soundfile.SoundFileError as error:
            raise ValueError(
                f"{path} is damaged or truncated after {n_samples} of {n_frames} samples "
                f"({_one_line(error)}); copy it again"
            ) from error
        if len(channels) < min(BLOCK, n_frames - n_samples):
            raise ValueError(
                f"{path} is truncated: it ends after {n_samples + len(channels)} of {n_frames} "
                "samples; copy it again"
            )
        n_samples += len(channels)
        yield channels @ weights  # ten times as fast as a mean over two columns


@contextmanager
def _open_container(path: Path) -> Iterator[Soundtrack]:
    import av

    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a film or sound ({_one_line(error)}); it is damaged, "
            "truncated or of another kind: copy it again or convert it with ffmpeg"
        ) from error
    with container:
        if not container.streams.audio:
            raise ValueError(f"{path} has no audio stream; give a file with sound")
        stream: Any = container.streams.audio[0]
        stream.thread_type = "AUTO"
        yield Soundtrack(int(stream.rate), _container_blocks(path, container, stream))


def _container_blocks(path: Path, container: Any, stream: Any) -> Iterator[NDArray[np.float32]]:
    """Decoded sound, with silence where the time stamps tell of none.

    Time 0 is where the container starts, which for films is their first picture; a sound track
    that begins later is preceded by silence, so that seconds of the result are seconds of the film.
    """
    import av

    rate = int(stream.rate)
    zero = max(container.start_time or 0, 0) / av.time_base
    held: list[NDArray[np.float32]] = []
    n_samples = n_held = 0
    try:
        for frame in container.decode(stream):
            if frame.sample_rate != rate:
                raise ValueError(
                    f"{path} changes from {rate} to {frame.sample_rate} Hz; convert it with ffmpeg"
                )
            late = 0.0 if frame.time is None else frame.time - zero - n_samples / rate
            if late < -_OVERLAP_S:
                raise ValueError(
                    f"{path}: its time stamps go back by {-late:.2f} s at {frame.time:.2f} s; "
                    "convert it with ffmpeg"
                )
            channels = _as_float(frame)
            is_gap = late > (_GAP_S if n_samples else 0.5 / rate)
            if held and (is_gap or len(channels) != len(held[0]) or n_held >= BLOCK):
                yield np.concatenate(held, axis=1).mean(axis=0)
                held, n_held = [], 0
            if is_gap:
                n_missing = round(late * rate)
                n_samples += n_missing
                for start in range(0, n_missing, BLOCK):
                    yield np.zeros(min(BLOCK, n_missing - start), dtype=np.float32)
            held.append(channels)
            n_held += channels.shape[1]
            n_samples += channels.shape[1]
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} is damaged after {n_samples / rate:.1f} s ({_one_line(error)}); copy it again"
        ) from error
    if held:
        yield np.concatenate(held, axis=1).mean(axis=0)
    _check_end(path, container, zero + n_samples / rate)


def _as_float(frame: Any) -> NDArray[np.float32]:
    """The samples of a frame within [-1, 1], ``(n_channels, n_samples)``."""
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= 128
    scaled /= 2 ** (8 * samples.dtype.itemsize - 1)
    return scaled


def _check_end(path: Path, container: Any, sound_end: float) -> None:
    """Refuse a container whose packets, pictures included, end before it says that it does."""
    import av

    if container.duration is None or container.format.name == "aac":  # bare AAC: an estimate
        return
    expected = (max(container.start_time or 0, 0) + container.duration) / av.time_base
    if sound_end >= expected - _SHORTAGE_S:
        return
    last = sound_end
    with av.open(str(path)) as again:
        for packet in again.demux():
            if packet.pts is not None and packet.time_base is not None:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if last < expected - _SHORTAGE_S:
        raise ValueError(
            f"{path} is truncated: it ends after {last:.1f} of {expected:.1f} s; copy it again"
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
