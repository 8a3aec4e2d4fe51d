"""Recordings are read to their end; files shorter than they declare are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import odd_sounds as odd
import pytest
import soundfile

from training.corpus import source
from training.corpus.corpus import SAMPLE_RATE
from training.corpus.source import decode

FRAME = 1152  # samples of an MP3 at 44.1 kHz


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", None)]
)
def test_half_a_file_is_refused(tmp_path: Path, kind: str, subtype: str | None) -> None:
    whole = odd.encoded(kind, subtype)
    path = tmp_path / "sound"
    path.write_bytes(whole)
    assert len(decode(path).samples) == 2 * SAMPLE_RATE
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"sound is (damaged or )?truncated.*copy it again"):
        decode(path)


@pytest.mark.parametrize("order", [1, -1], ids=["loud first", "quiet first"])
def test_mp3_without_a_length_header_is_read_to_its_end(tmp_path: Path, order: int) -> None:
    """libsndfile concludes from the first frames how many there are, and reads no further."""
    loud = np.random.default_rng(0).standard_normal(5 * odd.RATE) * 0.3
    sound = np.concatenate([loud, 1e-2 * loud][::order])
    path = tmp_path / "sound.mp3"
    with soundfile.SoundFile(
        path, "w", odd.RATE, 1, bitrate_mode="VARIABLE", compression_level=0.5
    ) as file:
        file.write(np.clip(sound, -1, 1))
    path.write_bytes(odd.without_length_header(path.read_bytes()))
    n_declared = soundfile.info(path).frames
    assert abs(n_declared - len(sound)) > 0.4 * len(sound)

    samples = decode(path).samples
    seconds = len(samples) / SAMPLE_RATE
    assert 10 <= seconds < 10 + 3 * FRAME / odd.RATE  # and what encoder and decoder add
    halves = [np.std(samples[start : start + 4 * SAMPLE_RATE]) for start in (5_000, -95_000)]
    assert 50 < (halves[0] / halves[1]) ** order < 200


def test_joined_ogg_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "once.ogg").write_bytes(odd.encoded("OGG", "VORBIS", SAMPLE_RATE))
    (tmp_path / "twice.ogg").write_bytes(2 * (tmp_path / "once.ogg").read_bytes())
    once, twice = (decode(tmp_path / name).samples for name in ("once.ogg", "twice.ogg"))
    np.testing.assert_array_equal(twice, np.tile(once, 2))


def test_file_that_cannot_be_opened_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> object:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(source, "open_sound", broken)
    with pytest.raises(ValueError, match=r"a\.wav cannot be opened \(Input/output error\)"):
        decode(tmp_path / "a.wav")
