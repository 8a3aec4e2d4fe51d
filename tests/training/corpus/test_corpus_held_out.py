"""Detection of copies of evaluation recordings."""

from __future__ import annotations

import io
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from training.cli import main
from training.corpus.build import build
from training.corpus.corpus import Corpus
from training.corpus.fingerprints import FRAME, HOP, N_BITS, fingerprint
from training.corpus.held_out import (
    FOLDERS,
    N_BYTES,
    HeldOut,
    evaluation_folders,
    read_hashes,
    write_hashes,
)
from training.corpus.source import decode, folder_source

RATE = 22_050
Sound = NDArray[np.float32]


def sweeping_sound(seed: int, seconds: float = 2.0) -> Sound:
    """Harmonics whose pitch and loudness wander, in noise: no two frames are alike."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    knots = np.linspace(0, n, 9)
    pitch = np.interp(np.arange(n), knots, rng.uniform(120, 500, size=9))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    partials = [
        np.interp(np.arange(n), knots, rng.uniform(0, 1, size=9)) * np.sin(k * phase)
        for k in range(1, 9)
    ]
    sound = np.sum(partials, axis=0) / 10 + 0.02 * rng.normal(size=n)
    return sound.astype(np.float32)


def as_telephone(sound: Sound) -> Sound:
    """Resampled to 8 kHz, 20 dB softer, and coded as Vorbis."""
    coded = io.BytesIO()
    soundfile.write(coded, 0.1 * soxr.resample(sound, RATE, 8_000), 8_000, format="OGG")
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    return soxr.resample(decoded, 8_000, RATE)  # type: ignore[no-any-return]


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    for seed in range(6):
        soundfile.write(folder / f"sound{seed}.wav", sweeping_sound(seed), RATE, "PCM_16")
    return folder


@pytest.fixture
def held_out(evaluation: Path) -> HeldOut:
    return HeldOut([evaluation])


def test_words_follow_the_formula() -> None:
    """Brute force over one pair of frames and all bands."""
    sound = sweeping_sound(0, 0.3)
    edges = np.geomspace(300, 3000, N_BITS + 2)
    frequencies = np.fft.rfftfreq(FRAME, 1 / RATE)
    energies = []
    for start in (3 * HOP, 4 * HOP):
        power = np.abs(np.fft.rfft(sound[start : start + FRAME] * np.hanning(FRAME))) ** 2
        energies.append(
            [power[(frequencies >= a) & (frequencies < b)].sum() for a, b in pairwise(edges)]
        )
    before, after = energies
    word = 0
    for m in range(N_BITS):
        # The paper's F with both differences taken the other way round.
        if (after[m + 1] - after[m]) - (before[m + 1] - before[m]) > 0:
            word |= 1 << m
    assert int(fingerprint(sound).words[3]) == word


@pytest.mark.parametrize("cut", [0, 777, RATE // 2 + 123])
def test_recoded_resampled_soft_copy_is_found(held_out: HeldOut, cut: int) -> None:
    copy = as_telephone(sweeping_sound(3))[cut:]
    assert "sounds like evaluation/sound3.wav" in held_out.reason_against(copy, "", "")


def test_copy_inside_a_longer_recording_is_found_at_its_place(held_out: HeldOut) -> None:
    longer = np.concatenate(
        [sweeping_sound(90), as_telephone(sweeping_sound(4)), sweeping_sound(91)]
    )
    reason = held_out.reason_against(longer, "", "")
    assert "sound4.wav" in reason
    assert "from 2.0" in reason or "from 1.9" in reason


def test_other_sounds_are_not_found(held_out: HeldOut) -> None:
    for seed in range(20, 60):
        assert held_out.reason_against(sweeping_sound(seed), "", "") == ""
    rng = np.random.default_rng(0)
    assert held_out.reason_against(rng.normal(size=20 * RATE).astype(np.float32), "", "") == ""
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert held_out.reason_against(tone, "", "") == ""
    assert held_out.reason_against(np.zeros(RATE, np.float32), "", "") == ""
    assert held_out.reason_against(np.zeros(10, np.float32), "", "") == ""


def test_equal_file_and_equal_samples_are_found(held_out: HeldOut, evaluation: Path) -> None:
    recording = decode(evaluation / "sound2.wav")
    nothing = np.zeros(0, np.float32)
    assert "the same file as evaluation/sound2.wav" in held_out.reason_against(
        nothing, recording.sha256, ""
    )
    assert "the same samples as evaluation/sound2.wav" in held_out.reason_against(
        nothing, "", recording.samples_sha256
    )


def test_build_leaves_held_out_sounds_out_with_a_warning(
    held_out: HeldOut, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    soundfile.write(mine / "borrowed.ogg", as_telephone(sweeping_sound(1)), RATE)
    soundfile.write(mine / "own.wav", sweeping_sound(70), RATE)
    manifest = build([folder_source(mine, "any", "MIT")], tmp_path / "corpus", held_out=held_out)
    assert manifest.n_held_out_sounds == 6
    (left_out,) = manifest.sources[0].left_out
    assert left_out.file == "borrowed.ogg"
    assert left_out.reason.startswith("held out: sounds like evaluation/sound1.wav")
    assert "borrowed.ogg is left out" in caplog.text


def test_check_fails_on_a_corpus_with_held_out_sounds(
    evaluation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build([folder_source(evaluation, "any", "MIT")], tmp_path / "corpus")
    with pytest.raises(SystemExit, match="1"):
        main(["corpus", "check", str(tmp_path / "corpus"), "--against", str(evaluation)])
    captured = capsys.readouterr()
    assert "recording 0 (evaluation, sound0.wav): held out: the same file" in captured.out
    assert "6 of 6 recordings" in captured.err


def test_archives_are_searched(evaluation: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "task.tar.gz", "w:gz") as archive:
        archive.add(evaluation / "sound0.wav", "fold00/sound0.wav")
    with zipfile.ZipFile(packed / "more.zip", "w") as pack:
        pack.write(evaluation / "sound1.wav", "sound1.wav")
    held_out = HeldOut([packed])
    assert held_out.names == ["packed/more.zip/sound1.wav", "packed/task.tar.gz/fold00/sound0.wav"]


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere is not a folder; expected one with evaluation"):
        evaluation_folders([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="no evaluation recording in"):
        HeldOut([tmp_path])


def test_hashes_are_written_and_read(evaluation: Path, tmp_path: Path) -> None:
    build([folder_source(evaluation, "any", "MIT")], tmp_path / "corpus")
    n = write_hashes(Corpus.open(tmp_path / "corpus"), tmp_path / "hashes")
    hashes = read_hashes(tmp_path / "hashes")
    assert len(hashes) == n == 12
    assert bytes.fromhex(decode(evaluation / "sound5.wav").samples_sha256)[:N_BYTES] in hashes
    (tmp_path / "hashes").write_bytes(b"1234567")
    with pytest.raises(ValueError, match="is damaged: 7 bytes"):
        read_hashes(tmp_path / "hashes")


@pytest.mark.realdata
@pytest.mark.slow
def test_no_evaluation_sound_is_in_the_debian_corpus(data_folder: Path) -> None:
    """By file and by samples, by the hashes kept with the code."""
    corpus = read_hashes()
    n_sounds = 0
    for folder in FOLDERS:
        for path in sorted((data_folder / folder).rglob("*")):
            if path.suffix in (".wav", ".ogg"):
                recording = decode(path, shortest=0.0, silence=-1.0)
                for value in (recording.sha256, recording.samples_sha256):
                    assert bytes.fromhex(value)[:N_BYTES] not in corpus, path
                n_sounds += 1
    assert n_sounds >= 3_565


@pytest.mark.realdata
@pytest.mark.slow
def test_real_sounds_are_found_when_cut_and_not_in_each_other(data_folder: Path) -> None:
    sounds = data_folder / "fmri/natsound165/sounds"
    held_out = HeldOut([sounds])
    assert len(held_out.names) == 165
    for path in sorted(sounds.glob("*.wav"))[::11]:
        sound = decode(path).samples.astype(np.float32) / 32768
        assert path.name in held_out.reason_against(sound[1_000:], "", "")
    for path in sorted((data_folder / "audio/esc10").rglob("*.ogg"))[::20]:
        sound = decode(path).samples.astype(np.float32) / 32768
        assert held_out.reason_against(sound, "", "") == "", path
