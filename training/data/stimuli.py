"""Stimuli: conversion of any audio or video file to int16 mono samples at one rate,
memory-mappable.

The file is decoded, resampled and written block by block, with bounded memory, while a second
thread computes its checksum. Resampling is soxr's high quality, and the result is identical to
resampling the whole audio at once.

A sample x is rounded to the integer nearest to ``32768 x``, ties to even; +1.0 becomes 32767.
Samples beyond full scale are clipped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import IO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hear_brainsoundnet.decoding import Reader, open_sound
from hear_brainsoundnet.files import write_atomically, writing
from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, is_sound, is_text, printable
from training.checksums import checksum_of
from training.data.prepared import INT16_SCALE

DEFAULT_SAMPLE_RATE = 22_050  # Hz, the rate that SoundNet was trained at


class PreparedSound(BaseModel):
    """Metadata of a prepared stimulus; stored as JSON beside its samples.

    Attributes
    ----------
    path : str
        The source file.
    n_bytes, modified_ns, checksum
        Size, time stamp and checksum of that file, see :func:`checksum_of`.
    sample_rate, n_samples : int
        Rate in Hz and number of the samples written.
    n_clipped : int
        Number of clipped samples.
    audio_stream : int or None
        Index of the requested audio track.
    findings : tuple of str
        Remarks: silence, channels that cancel each other, other audio tracks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    n_bytes: int
    modified_ns: int
    checksum: str
    sample_rate: int
    n_samples: int
    n_clipped: int
    audio_stream: int | None = None
    findings: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.n_samples / self.sample_rate


def prepare_sound(
    source: Path,
    target: Path,
    sample_rate: int = DEFAULT_SAMPLE_RATE,
    audio_stream: int | None = None,
) -> PreparedSound:
    """Write the audio of `source` to `target`, unless it was made from the same file before.

    Parameters
    ----------
    source : Path
        An audio or video file.
    target : Path
        The ``.npy`` file to write, int16 ``(n_samples,)``. A ``.json`` file beside it records its
        source.
    sample_rate : int
        In Hz.
    audio_stream : int, optional
        Index of the audio track, from 0.

    Raises
    ------
    ValueError
        If the file is missing, empty, damaged, truncated, without audio, or contains NaN.
    OSError
        If `target` cannot be written.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "tone.wav"), np.full(44_100, 0.5), 44_100)
    ...     sound = prepare_sound(Path(folder, "tone.wav"), Path(folder, "tone.npy"))
    ...     np.load(Path(folder, "tone.npy"))[11_025], sound.duration
    (np.int16(16384), 1.0)
    """
    known = _known(source, target, sample_rate, audio_stream)
    if known is not None:
        return known
    note = target.with_suffix(".json")
    _check_file(source)
    with closing(open_sound(source, audio_stream)) as reader:
        state = source.stat()
        stop = Event()
        with ThreadPoolExecutor(max_workers=1) as beside:
            checksum = beside.submit(checksum_of, source, stop)
            try:
                with writing(target) as temporary, temporary.open("wb") as file:
                    note.unlink(missing_ok=True)  # outdated from here on
                    n_samples, n_clipped = _write(file, reader, sample_rate)
                    if n_samples == 0:
                        raise ValueError(f"{source} contains no samples; copy or export it again")
            except BaseException:
                stop.set()
                raise
    sound = PreparedSound(
        path=str(source),
        n_bytes=state.st_size,
        modified_ns=state.st_mtime_ns,
        checksum=checksum.result(),
        sample_rate=sample_rate,
        n_samples=n_samples,
        n_clipped=n_clipped,
        audio_stream=audio_stream,
        findings=tuple(reader.findings()),
    )
    write_atomically(note, (sound.model_dump_json(indent=2) + "\n").encode())
    return sound


def _check_file(source: Path) -> None:
    kind = source.suffix.lower()
    if not is_sound(source):
        known = ", ".join(sorted(SOUND_SUFFIXES))
        raise ValueError(
            f"{source}: expected an audio or video file ({known}), got {kind or source}"
        )
    if not is_text(source):
        raise ValueError(
            f"{printable(source)}: the name is not UTF-8, which no dataset can hold; rename it"
        )
    if not source.is_file():
        raise ValueError(f"{source} is missing or no file; check the path of the stimulus")


def _known(
    source: Path, target: Path, sample_rate: int, audio_stream: int | None
) -> PreparedSound | None:
    """Metadata of `target` if it is complete and was made from this file."""
    try:
        sound = PreparedSound.model_validate_json(target.with_suffix(".json").read_bytes())
        shape = np.load(target, mmap_mode="r", allow_pickle=False).shape
        state = source.stat()
    except (OSError, EOFError, ValueError):  # pydantic's errors are ValueErrors
        return None
    expected = (str(source), state.st_size, state.st_mtime_ns, sample_rate, audio_stream)
    got = (sound.path, sound.n_bytes, sound.modified_ns, sound.sample_rate, sound.audio_stream)
    return sound if got == expected and shape == (sound.n_samples,) else None


def _write(file: IO[bytes], reader: Reader, sample_rate: int) -> tuple[int, int]:
    """Stream the samples after a header whose length is corrected at the end.

    numpy leaves room in its headers for the first axis to grow, so that its size is constant.
    """
    _write_header(file, 0)
    start = file.tell()
    n_samples = n_clipped = 0
    for block in _resampled(reader, sample_rate):
        if len(block) == 0:
            continue
        block *= INT16_SCALE
        np.rint(block, out=block)
        lowest, highest = block.min(), block.max()
        if lowest < -INT16_SCALE or highest >= INT16_SCALE:
            n_clipped += int(np.count_nonzero(np.abs(block) > INT16_SCALE))
            np.clip(block, -INT16_SCALE, INT16_SCALE - 1, out=block)
        file.write(block.astype("<i2").data)
        n_samples += len(block)
    file.seek(0)
    _write_header(file, n_samples)
    if file.tell() != start:
        raise RuntimeError("the header of the .npy file has changed its size")
    return n_samples, n_clipped


def _write_header(file: IO[bytes], n_samples: int) -> None:
    header = {"descr": "<i2", "fortran_order": False, "shape": (n_samples,)}
    np.lib.format.write_array_header_1_0(file, header)


def _finite_blocks(reader: Reader) -> Iterator[NDArray[np.float32]]:
    """The blocks of a file, checked for finite samples."""
    n_samples = 0
    for block in reader.blocks():
        if not np.isfinite(block.sum()) and not (finite := np.isfinite(block)).all():
            at = (n_samples + int(np.argmin(finite))) / reader.sample_rate
            raise ValueError(
                f"{reader.name} holds NaN or infinite samples, the first at {at:.3f} s; export it "
                "again"
            )
        n_samples += len(block)
        yield block


def _resampled(reader: Reader, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    if reader.sample_rate == sample_rate:
        yield from _finite_blocks(reader)
        return
    import soxr

    stream = soxr.ResampleStream(reader.sample_rate, sample_rate, 1, "float32", quality="HQ")
    resample: Callable[..., NDArray[np.float32]] = stream.resample_chunk
    for block in _finite_blocks(reader):
        yield resample(np.ascontiguousarray(block))
    yield resample(np.zeros(0, dtype=np.float32), last=True)
