"""Mixtures are appended to their recordings, and determined by seed and number."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
from numpy.typing import NDArray

from training.cli import main
from training.corpus.build import build
from training.corpus.corpus import AUDIO_FILE, TABLE_FILE, Corpus, corpus_sha256
from training.corpus.mixtures import NEEDED_KINDS, Mixer, add_mixtures, loop
from training.corpus.source import AudioFile, Source

RATE = 22_050
HOURS = 40 * 5 / 3600  # 40 mixtures
FREQUENCIES = {"ambience": 300, "animals": 1100, "effects": 2500, "human": 5000}  # Hz


def tone(frequency: float, seconds: float) -> NDArray[np.float64]:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def tones(folder: Path, kinds: tuple[str, ...] = NEEDED_KINDS, silent_s: float = 0.0) -> Corpus:
    """Two tones of each kind, one shorter than a mixture, behind silence; and a spoken word."""
    folder.mkdir(parents=True)
    files = []
    for kind in kinds:
        for seconds in (0.8, 6.0):
            path = folder / f"{kind}-{seconds}.wav"
            sound = tone(FREQUENCIES[kind], seconds)
            soundfile.write(path, np.concatenate([np.zeros(round(silent_s * RATE)), sound]), RATE)
            files.append(AudioFile(path, path.name, kind, f"licence of {kind}"))
    path = folder / "word.wav"
    soundfile.write(path, tone(700, 1), RATE)
    files.append(AudioFile(path, path.name, "effects", "licence of words", "garden"))
    build([Source("tones", files=tuple(files))], folder / "corpus")
    return Corpus.open(folder / "corpus")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return tones(tmp_path_factory.mktemp("tones") / "audio")


@pytest.fixture(scope="module")
def mixed(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return add_mixtures(corpus, tmp_path_factory.mktemp("mixed") / "mixed", hours=HOURS)


def parts_of(text: str) -> list[tuple[str, int]]:
    """Kinds and numbers in the name of a mixture."""
    listed = text.split(": ")[1].split(", ")
    found = [re.fullmatch(r"([a-z]+) (\d+)(?: x([2-8]))?", each) for each in listed]
    return [(each[1], int(each[2])) for each in found if each]


def test_recordings_stay_as_they_are_and_mixtures_follow(corpus: Corpus, mixed: Corpus) -> None:
    old, new = ((each.folder / AUDIO_FILE).read_bytes() for each in (corpus, mixed))
    assert new[: len(old)] == old
    assert len(new) - len(old) == 40 * 5 * RATE * 2
    rows = mixed.recordings
    pandas.testing.assert_frame_equal(rows[: len(corpus)], corpus.recordings)
    mixtures = rows[len(corpus) :]
    assert len(mixtures) == 40
    assert set(mixtures["kind"]) == set(mixtures["source"]) == {"mixtures"}
    assert set(mixtures["label"]) == {""}
    last = new[-5 * RATE * 2 :]
    assert mixtures["samples_sha256"].iloc[-1] == hashlib.sha256(last).hexdigest()
    assert mixtures["samples_sha256"].is_unique


def test_rows_name_their_parts_and_licences(corpus: Corpus, mixed: Corpus) -> None:
    for number, row in enumerate(mixed.recordings[len(corpus) :].to_dict("records")):
        assert row["file"].startswith(f"mixture {number:06}: ")
        parts = parts_of(row["file"])
        assert 1 <= len(parts) == row["file"].count(",") + 1 <= 5
        for kind, part in parts:
            assert corpus.recordings["kind"][part] == kind
            assert corpus.recordings["label"][part] == ""
        wanted = {corpus.recordings["licence"][part] for _, part in parts}
        assert row["licence"].split("; ") == sorted(wanted)


def test_manifest_keeps_what_it_had(corpus: Corpus, mixed: Corpus) -> None:
    before, after = corpus.manifest, mixed.manifest
    assert after.sources[:-1] == before.sources
    assert after.hours == pytest.approx(before.hours + HOURS, abs=2e-4)
    entry = after.sources[-1]
    assert entry.made_with == {"seed": "0", "corpus": corpus_sha256(corpus)[:16]}
    assert (entry.n_recordings, list(entry.kinds)) == (40, ["mixtures"])
    assert entry.licences == [f"licence of {kind}" for kind in NEEDED_KINDS]
    unlike = {"hours", "sources"}
    assert after.model_dump(exclude=unlike) == before.model_dump(exclude=unlike)


def test_mixtures_hold_only_tones_of_their_parts(corpus: Corpus, mixed: Corpus) -> None:
    """Speeds reach 0.8 of an octave: a kind that takes no part has no energy near its tone."""
    n_absent = 0
    frequencies = np.fft.rfftfreq(5 * RATE, 1 / RATE)
    for i in range(len(corpus), len(mixed)):
        power = np.square(np.abs(np.fft.rfft(mixed.samples(i) * np.hanning(5 * RATE))))
        reached = np.zeros(len(power), dtype=bool)
        for kind, _ in parts_of(mixed.recordings["file"][i]):
            octaves = np.abs(np.log2(np.maximum(frequencies, 1) / FREQUENCIES[kind]))
            reached |= octaves < 0.85
        n_absent += int(not reached.all())
        # The rest is noise, clicks of fades and sidelobes.
        assert power[reached].sum() > 0.9 * power.sum()
    assert n_absent > 0


def test_mixtures_are_audible_and_never_clipped(corpus: Corpus, mixed: Corpus) -> None:
    sounds = [mixed.samples(i) for i in range(len(corpus), len(mixed))]
    peaks = np.array([np.abs(each).max() for each in sounds])
    assert peaks.max() < 0.99
    assert peaks.min() > 0.01
    assert peaks.std() > 0.05  # levels are drawn
    assert min(np.sqrt(np.mean(each**2)) for each in sounds) > 1e-3


def test_equal_seeds_and_numbers_draw_equal_mixtures(corpus: Corpus, mixed: Corpus) -> None:
    mixer = Mixer(corpus, seed=0)
    seventh = mixer.mixture(7)
    np.testing.assert_array_equal(seventh.samples / 32768, mixed.samples(len(corpus) + 7))
    assert seventh.text == mixed.recordings["file"][len(corpus) + 7]
    other = Mixer(corpus, seed=1).mixture(7)
    assert not np.array_equal(other.samples, seventh.samples)


@pytest.mark.slow
def test_number_of_workers_changes_nothing(corpus: Corpus, mixed: Corpus, tmp_path: Path) -> None:
    add_mixtures(corpus, tmp_path / "two", hours=HOURS, workers=2)
    for name in (AUDIO_FILE, TABLE_FILE):
        assert (tmp_path / "two" / name).read_bytes() == (mixed.folder / name).read_bytes()


def test_silent_parts_are_drawn_again(tmp_path: Path) -> None:
    """Of recordings that are silent for their first 20 s only stretches with sound are taken."""
    mixer = Mixer(tones(tmp_path / "audio", silent_s=20), seed=0)
    for number in range(10):
        samples = mixer.mixture(number).samples / 32768
        assert np.isfinite(samples).all()
        spectrum = np.square(np.abs(np.fft.rfft(samples)))
        # A tone stands out; noise in place of it would fill all bins alike.
        assert np.sort(spectrum)[-200:].sum() > 0.5 * spectrum.sum()


def test_loop_repeats_and_keeps_the_power_of_noise() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(20_000).astype(np.float32)
    looped = loop(noise, 110_250, rng)
    step = 20_000 - round(0.05 * RATE)
    np.testing.assert_array_equal(looped[:-step], looped[step:])
    assert np.square(looped).mean() == pytest.approx(1, abs=0.03)
    # All of it is there but for the joint.
    assert np.isin(noise[2000:18_000], looped).all()


def test_unsuitable_corpora_are_refused(corpus: Corpus, mixed: Corpus, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="already exists; give another --out"):
        add_mixtures(corpus, mixed.folder)
    with pytest.raises(ValueError, match="already has mixtures"):
        add_mixtures(mixed, tmp_path / "out")
    lacking = tones(tmp_path / "lacking", ("ambience", "effects"))
    with pytest.raises(ValueError, match=r"has no animals, human, which mixtures need"):
        add_mixtures(lacking, tmp_path / "out")
    with pytest.raises(
        ValueError, match=r"expected hours for at least one mixture of 5 s, got 0\.0001"
    ):
        add_mixtures(corpus, tmp_path / "out", hours=1e-4)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["lacking"]


def test_command_line_adds_mixtures(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["corpus", "mixtures", str(corpus.folder), "--out", str(tmp_path / "mixed")]
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--hours", "0.02", "--seed", "3", "--workers", "1"])
    assert "of which 0.02 are mixtures" in capsys.readouterr().out
    assert len(Corpus.open(tmp_path / "mixed")) == len(corpus) + 14
