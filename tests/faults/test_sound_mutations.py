"""No damaged sound file crashes, hangs or fills the memory; each is read or refused in one line.

The reader runs in a process with limits.
"""

from __future__ import annotations

import io
import multiprocessing
import resource
import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mutations import mutations

SECONDS = 20  # of processor time that one small file may take
MEMORY = 400 * 2**20  # bytes that reading it may add
RATE = 44_100
SOUNDFILE_KINDS = {
    "wav": ("WAV", "PCM_16"),
    "float wav": ("WAV", "FLOAT"),
    "adpcm wav": ("WAV", "MS_ADPCM"),
    "aiff": ("AIFF", "PCM_24"),
    "caf": ("CAF", "ALAC_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
}
FILM_KINDS = {"m4a": ("ipod", "aac"), "webm": ("webm", "libopus"), "mkv": ("matroska", "flac")}


def sound_files() -> dict[str, bytes]:
    """A sound of two channels and a second in each kind of file."""
    generator = np.random.default_rng(0)
    sound = np.clip(generator.standard_normal((RATE, 2)) * 0.1, -1, 1).astype(np.float32)
    found = {}
    for name, (kind, subtype) in SOUNDFILE_KINDS.items():
        buffer = io.BytesIO()
        rate = 48_000 if subtype == "OPUS" else RATE
        soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
        found[name] = buffer.getvalue()
    for name, (kind, codec) in FILM_KINDS.items():
        found[name] = _film(sound, kind, codec)
    return found


def _film(sound: np.ndarray, kind: str, codec: str) -> bytes:
    import av

    rate = 48_000
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="stereo")
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), "fltp", "stereo")
        frame.sample_rate, frame.pts = rate, 0
        fifo = av.AudioFifo()
        for part in resampler.resample(frame):
            fifo.write(part)
        size = stream.codec_context.frame_size or 1024
        while (part := fifo.read(size, partial=True)) is not None:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def outcomes(content: bytes, n: int, seed: int) -> Counter[str]:
    """How often damaged copies were read, refused in one line, or something worse."""
    context = multiprocessing.get_context("fork")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "damaged")
        copies = list(mutations(content, n, seed))
        done = 0
        while done < n:
            inbox, outbox = context.Pipe(duplex=False)
            process = context.Process(target=_read_all, args=(copies[done:], path, outbox))
            process.start()
            outbox.close()
            while True:
                try:
                    result = inbox.recv()
                except EOFError:
                    break
                counts[result] += 1
                done += 1
            process.join()
            if process.exitcode:
                counts[f"ended with {process.exitcode}"] += 1
                done += 1
    return counts


def _read_all(copies: list[bytes], path: Path, results: Any) -> None:
    for content in copies:
        path.write_bytes(content)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends the process
        results.send(_read(path))


def _read(path: Path) -> str:
    from hear_brainsoundnet.audio import AudioFile

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with AudioFile(path) as file:
            for start in range(0, file.n_samples, 2**18):
                file.read(start, min(start + 2**18, file.n_samples))
            file.findings()
        result = "read"
    except (ValueError, OSError) as error:
        is_line = str(error).isprintable() and path.name in str(error)
        result = "refused" if is_line else f"refused in other words: {error!r}"
    except Exception as error:
        result = f"raised {error!r}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return f"{result}, {grown >> 20} MiB" if grown > MEMORY else result


@pytest.fixture(scope="module")
def sounds():
    pytest.importorskip("av")
    return sound_files()


@pytest.mark.parametrize("kind", ["wav", "vorbis", "mp3"])
def test_a_few_damaged_sounds(sounds, kind):
    assert set(outcomes(sounds[kind], n=8, seed=0)) <= {"read", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SOUNDFILE_KINDS, *FILM_KINDS])
def test_many_damaged_sounds(sounds, kind):
    counts = outcomes(sounds[kind], n=50, seed=1)
    assert set(counts) <= {"read", "refused"}, counts
    assert counts.total() == 50
