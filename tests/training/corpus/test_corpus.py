"""Building a corpus of files, and reading it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.cli import main
from training.corpus.build import build
from training.corpus.corpus import AUDIO_FILE, MANIFEST_FILE, TABLE_FILE, Corpus
from training.corpus.source import AudioFile, Source, folder_source

RATE = 22_050


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Noise at the rate of the corpus, a tone at another, a copy, and what cannot be used."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    rng = np.random.default_rng(0)
    soundfile.write(folder / "a_noise.wav", 0.1 * rng.normal(size=RATE), RATE, "PCM_16")
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    soundfile.write(folder / "b_tone.flac", np.stack([tone, np.zeros_like(tone)], axis=1), 48_000)
    noise, _ = soundfile.read(folder / "a_noise.wav", dtype="int16")
    soundfile.write(folder / "c_copy.flac", noise, RATE)
    soundfile.write(folder / "d_short.wav", tone[:2000], 48_000)
    soundfile.write(folder / "e_silent.wav", np.zeros(RATE), RATE)
    (folder / "f_broken.ogg").write_bytes(b"OggS and then nothing of the kind")
    (folder / "notes.txt").write_text("no audio")
    return folder


@pytest.fixture
def corpus(sounds: Path, tmp_path: Path) -> Corpus:
    build([folder_source(sounds, "any", "CC0-1.0")], tmp_path / "corpus")
    return Corpus.open(tmp_path / "corpus")


def test_samples_are_those_of_the_files(corpus: Corpus, sounds: Path) -> None:
    noise, _ = soundfile.read(sounds / "a_noise.wav", dtype="float32")
    np.testing.assert_array_equal(corpus.samples(0), noise)
    np.testing.assert_array_equal(corpus.samples(0, start=100, n=50), noise[100:150])
    # The tone is resampled and the mean of a tone and silence.
    wanted = 0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(corpus.samples(1)[500:-500], wanted[500:-500], atol=2e-4)
    assert corpus.samples(1).dtype == np.float32


def test_audio_file_is_plain_int16_end_to_end(corpus: Corpus) -> None:
    raw = np.fromfile(corpus.folder / AUDIO_FILE, dtype="<i2")
    table = corpus.recordings
    assert table["start_sample"].tolist() == [0, RATE]
    assert len(raw) == table["n_samples"].sum() == 2 * RATE
    second = raw[RATE:].tobytes()
    assert hashlib.sha256(second).hexdigest() == table["samples_sha256"][1]


def test_manifest_lists_unused_files_and_counts_duplicates(corpus: Corpus, sounds: Path) -> None:
    (source,) = corpus.manifest.sources
    assert source.n_recordings == 2
    assert source.n_duplicates == 1
    assert source.hours == pytest.approx(2 / 3600, abs=1e-4)
    reasons = {each.file: each.reason for each in source.left_out}
    assert set(reasons) == {"d_short.wav", "e_silent.wav", "f_broken.ogg"}
    assert "shorter than 0.2 s" in reasons["d_short.wav"]
    assert "silent" in reasons["e_silent.wav"]
    assert str(sounds) not in " ".join(reasons.values())


def test_recordings_carry_the_checksum_of_their_file(corpus: Corpus, sounds: Path) -> None:
    row = corpus.recordings.iloc[1]
    assert row["file"] == "b_tone.flac"
    assert row["sha256"] == hashlib.sha256((sounds / "b_tone.flac").read_bytes()).hexdigest()


@pytest.mark.slow
def test_number_of_workers_changes_nothing(sounds: Path, corpus: Corpus, tmp_path: Path) -> None:
    source = folder_source(sounds, "any", "CC0-1.0")
    build([source, source], tmp_path / "two", workers=2)
    for name in (AUDIO_FILE, TABLE_FILE):
        assert (tmp_path / "two" / name).read_bytes() == (corpus.folder / name).read_bytes()


def test_interrupted_build_leaves_nothing(sounds: Path, tmp_path: Path) -> None:
    def interrupted() -> object:
        yield folder_source(sounds, "any", "CC0-1.0")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(interrupted(), tmp_path / "corpus")  # type: ignore[arg-type]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["sounds"]


def test_full_disk_is_one_line(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.corpus.build.write_atomically", full)
    with pytest.raises(OSError, match=r"corpus cannot be written \(No space left on device\)"):
        build([folder_source(sounds, "any", "CC0-1.0")], tmp_path / "corpus")
    assert not list(tmp_path.glob(".*"))


def test_existing_folder_is_refused(sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(FileExistsError, match="already exists"):
        build([folder_source(sounds, "any", "CC0-1.0")], tmp_path / "corpus")


def test_sources_without_usable_recordings_are_refused(sounds: Path, tmp_path: Path) -> None:
    silent = AudioFile(sounds / "e_silent.wav", "e_silent.wav", "any", "CC0-1.0")
    with pytest.raises(ValueError, match="no recording of the sources could be used"):
        build([Source("silence", (silent,))], tmp_path / "corpus")


@pytest.mark.parametrize(("start", "n"), [(0, RATE + 1), (-1, 5), (RATE, 1)])
def test_reading_past_a_recording_is_an_error(corpus: Corpus, start: int, n: int) -> None:
    with pytest.raises(IndexError, match="has 22050 samples"):
        corpus.samples(0, start, n)
    with pytest.raises(IndexError, match="expected a recording from 0 to 1, got 2"):
        corpus.samples(2, 0, 1)


def test_damaged_corpora_are_refused(corpus: Corpus) -> None:
    folder = corpus.folder
    audio = (folder / AUDIO_FILE).read_bytes()
    (folder / AUDIO_FILE).write_bytes(audio[:-2])
    with pytest.raises(ValueError, match=r"has 88198 bytes where its table implies 88200"):
        Corpus.open(folder)
    (folder / AUDIO_FILE).write_bytes(audio)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest | {"format_version": 99}))
    with pytest.raises(ValueError, match="has format version 99, expected 1"):
        Corpus.open(folder)
    (folder / MANIFEST_FILE).unlink()
    with pytest.raises(FileNotFoundError, match=r"is not a corpus: manifest\.json is missing"):
        Corpus.open(folder)


def test_command_line_builds_and_shows(
    sounds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BRAINSOUNDNET_DATA", raising=False)
    out = tmp_path / "corpus"
    with pytest.raises(SystemExit, match="0"):
        main(["corpus", "folder", str(sounds), "--out", str(out), "--workers", "1"])
    assert "no evaluation recordings are excluded" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["corpus", "show", str(out)])
    shown = capsys.readouterr().out
    assert "2 recordings" in shown
    assert "1 files occur twice, 3 were left out" in shown


def test_only_the_file_whose_name_is_not_utf8_is_left_out(tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    for name in (b"a.wav", b"caf\xe9.wav"):
        soundfile.write(os.path.join(os.fsencode(sounds), name), noise, RATE)
    manifest = build([folder_source(sounds, "any", "CC0-1.0")], tmp_path / "corpus")
    assert manifest.sources[0].n_recordings == 1
    (left_out,) = manifest.sources[0].left_out
    assert (left_out.file, left_out.reason) == (r"caf\xe9.wav", "its name is not UTF-8")
