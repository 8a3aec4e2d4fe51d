"""Duration of preparing a stimulus, against only decoding and resampling it.

The plain contender reads the whole file into memory and resamples it once, without checks, output
or checksum. Both alternate on the same files, in one process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.timing import Comparison, machine, take_turns
from training.data.stimuli import DEFAULT_SAMPLE_RATE, prepare_sound

FILM_RATE, SOUND_RATE = 48_000, 44_100  # Hz
_PIECE_S = 10


def preparation_document(minutes: float, n_rounds: int) -> dict[str, Any]:
    """One row for the audio of a video (stereo AAC in Matroska), one for a stereo 16-bit WAV file.

    Raises
    ------
    ValueError
        If there is no round, or no duration.
    """
    at_work = machine()
    speeds = measure_preparation(minutes, n_rounds)
    return {
        "title": "Preparing a stimulus",
        "rows": [
            speeds["film"].row("sound of a film (AAC in Matroska)"),
            speeds["sound"].row("16-bit WAV file"),
        ],
        "notes": [
            f"Stereo files of {minutes:g} minutes. Plain: the whole file is decoded and resampled "
            "at once; nothing is checked, written, or given a checksum.",
            f"Both took turns in one process; medians over {n_rounds} rounds, ratios of the times "
            "of one round. Below 1 this package is faster.",
            at_work.note(),
        ],
        "details": {
            "machine": asdict(at_work),
            "speed": {"minutes": minutes, **{name: asdict(own) for name, own in speeds.items()}},
        },
    }


def measure_preparation(minutes: float, n_rounds: int, seed: int = 0) -> dict[str, Comparison]:
    """Comparisons for a film and a sound of `minutes`."""
    if minutes <= 0:
        raise ValueError(f"expected minutes above 0, got {minutes}")
    with tempfile.TemporaryDirectory() as folder:
        film, sound = Path(folder, "film.mkv"), Path(folder, "sound.wav")
        write_film(film, minutes * 60, seed)
        write_sound(sound, minutes * 60, seed)
        return {
            "film": _compare(film, plain_film, n_rounds),
            "sound": _compare(sound, plain_sound, n_rounds),
        }


def _compare(
    source: Path, plain: Callable[[Path], NDArray[np.float32]], n_rounds: int
) -> Comparison:
    target = source.with_name("prepared.npy")

    def prepare() -> None:
        target.with_suffix(".json").unlink(missing_ok=True)  # otherwise it would be skipped
        prepare_sound(source, target)

    return take_turns(lambda: plain(source), {"prepare": prepare}, n_rounds)["prepare"]


def plain_film(path: Path) -> NDArray[np.float32]:
    """All audio of a video with PyAV, resampled at once."""
    import av
    import soxr

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        rate = stream.rate
    mono = np.concatenate(frames, axis=1).mean(axis=0)
    resampled: NDArray[np.float32] = soxr.resample(mono, rate, DEFAULT_SAMPLE_RATE)
    return resampled


def plain_sound(path: Path) -> NDArray[np.float32]:
    """A whole file with soundfile, resampled at once."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    # Much faster than a mean over such short rows, for a strict comparison.
    mono = samples @ np.full(samples.shape[1], 1 / samples.shape[1], dtype=np.float32)
    resampled: NDArray[np.float32] = soxr.resample(mono, rate, DEFAULT_SAMPLE_RATE)
    return resampled


def write_film(path: Path, duration: float, seed: int) -> None:
    """A video without pictures: stereo AAC in Matroska."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=FILM_RATE, layout="stereo")
        n_written = 0
        for piece in _pieces(duration, FILM_RATE, seed):
            for start in range(0, piece.shape[1], 1024):
                samples = np.ascontiguousarray(piece[:, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                frame.rate, frame.pts = FILM_RATE, n_written
                frame.time_base = Fraction(1, FILM_RATE)
                n_written += samples.shape[1]
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_sound(path: Path, duration: float, seed: int) -> None:
    """A stereo 16-bit WAV file."""
    import soundfile

    with soundfile.SoundFile(path, "w", SOUND_RATE, 2, "PCM_16") as file:
        for piece in _pieces(duration, SOUND_RATE, seed):
            file.write(piece.T)


def _pieces(duration: float, rate: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Noise with syllabic rhythm, ``(2, n_samples)`` at a time; the same segment repeated."""
    generator = np.random.default_rng(seed)
    n_piece = _PIECE_S * rate
    sums = np.cumsum(generator.standard_normal((2, n_piece + rate // 500)), axis=1)
    noise = sums[:, rate // 500 :] - sums[:, : -(rate // 500)]  # a moving sum: low-pass
    syllables = np.interp(
        np.arange(n_piece), np.arange(0, n_piece + 1, rate // 8), generator.random(8 * _PIECE_S + 1)
    )
    piece = (0.02 * noise * syllables).astype(np.float32)
    n_left = round(duration * rate)
    while n_left > 0:
        yield piece[:, :n_left]
        n_left -= n_piece
