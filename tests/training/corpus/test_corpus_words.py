"""Choice of words that differ in sound and are in no evaluation set; clips of single words."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile

from training.corpus.build import build
from training.corpus.corpus import TABLE_FILE, Corpus
from training.corpus.packages import Package
from training.corpus.programs import run_program
from training.corpus.source import AudioFile, Source
from training.corpus.speech import Utterance
from training.corpus.word_list import EVALUATED, LISTS, choose_words, is_evaluated, read_words
from training.corpus.words import Espeak, draw_speaker, trimmed, words_source

WORDS = """
garden gardens window zero house houses happier song sing seventeen a it's for four
"""

speaks = pytest.mark.skipif(
    any(shutil.which(each) is None for each in ("espeak-ng", "flite")),
    reason="espeak-ng or flite is not installed",
)


@pytest.fixture
def scowl(tmp_path: Path) -> Path:
    """The package of words, unpacked."""
    folder = tmp_path / "scowl"
    (folder / LISTS[0]).parent.mkdir(parents=True)
    (folder / LISTS[0]).write_text(WORDS)
    return folder


@pytest.fixture
def source(scowl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Source]:
    """The source of two words by few voices."""

    def make(cache: str = "cache", **settings: int) -> Source:
        module = "training.corpus.words"
        monkeypatch.setattr(f"{module}.find_package", lambda names: Package(names[0], "1", "", ""))
        monkeypatch.setattr(f"{module}.unpacked", lambda *_: scowl)
        return words_source(tmp_path / cache, **{"n_words": 2, "n_espeak": 3} | settings)

    return make


def test_listed_words_are_whole_words_of_some_length_in_their_base_form(scowl: Path) -> None:
    listed = read_words(scowl)
    assert {"garden", "window", "song", "sing"} <= set(listed)
    assert not {"gardens", "a", "it's"} & set(listed)
    (scowl / LISTS[0]).unlink()
    with pytest.raises(ValueError, match=r"scowl holds no usr/share/dict/scowl/english-words\.10"):
        read_words(scowl)


@pytest.mark.parametrize("word", EVALUATED)
def test_words_of_the_evaluation_sets_and_their_forms_are_known(word: str) -> None:
    assert is_evaluated(word)
    if len(word) > 2:
        assert is_evaluated(word + "s")


@pytest.mark.parametrize(
    "word",
    [
        *("stopped", "stopping", "learnt", "learned", "houses", "housing", "happier", "happily"),
        *("went", "going", "third", "sixth", "sixteen", "ninety", "doggy", "trees", "visually"),
        *("for", "too", "won", "ate", "know", "write"),  # sound like one
    ],
)
def test_irregular_forms_and_homophones_are_known(word: str) -> None:
    assert is_evaluated(word)


@pytest.mark.parametrize("word", ["horse", "birch", "category", "note", "ought", "stock", "wonder"])
def test_other_words_are_not_evaluated(word: str) -> None:
    assert not is_evaluated(word)


def test_chosen_words_differ_in_sound_and_half_are_minimal_pairs() -> None:
    """Among made-up words, of which few are near to each other by chance."""
    rng = np.random.default_rng(0)
    spoken = ["".join(each) for each in itertools.product("ptkbdgmnls", "aeiou", "ptkbdgmnls")]
    drawn = [spoken[i] for i in rng.permutation(len(spoken))]
    long = [f"{a}{b[:2]}{b[::-1]}" for a, b in itertools.pairwise(drawn[40:])]
    phonemes = {f"w{i:03}": sounds for i, sounds in enumerate(drawn[:40] + long)}
    phonemes |= {"again": phonemes["w000"], "five": "fpapt", "fiev": "fpapt", "none": ""}
    chosen = choose_words(phonemes, 60, seed=0)
    assert chosen == choose_words(phonemes, 60, seed=0) != choose_words(phonemes, 60, seed=1)
    sounds = [phonemes[word] for word in chosen]
    assert len(set(sounds)) == len(chosen) == 60
    assert not {"five", "fiev", "none"} & set(chosen)

    def differs_in_one(one: str, other: str) -> bool:
        return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1

    with_neighbour = sum(any(differs_in_one(one, other) for other in sounds) for one in sounds)
    assert with_neighbour >= 28


def test_too_few_words_are_an_error() -> None:
    with pytest.raises(ValueError, match="expected 3 words to choose from, found 1"):
        choose_words({"song": "sɔŋ", "sang": "sɔŋ", "incorruptible": "ɪnkəɹʌptəbəl"}, 3, seed=0)


def test_clips_are_drawn_by_seed_word_and_number_alone() -> None:
    drawn = [draw_speaker("song", 0, 4, k) for k in range(50)]
    assert drawn == [draw_speaker("song", 0, 4, k) for k in range(50)]
    assert drawn != [draw_speaker("song", 1, 4, k) for k in range(50)]
    assert drawn != [draw_speaker("song", 0, 5, k) for k in range(50)]
    assert len({each.voice.split("+")[0] for each in drawn}) > 5
    assert len({each.voice for each in drawn}) > 30


def test_trimming_keeps_the_whole_word() -> None:
    rng = np.random.default_rng(0)
    word = rng.integers(-9_000, 9_000, 4_000).astype(np.int16)
    word[1_500:2_500] = 0  # the closure of a stop
    around = np.concatenate([np.zeros(8_000, np.int16), word, np.full(6_000, 20, np.int16)])
    kept = trimmed(around, 22_050)
    start = next(i for i in range(len(kept)) if np.array_equal(kept[i : i + 4_000], word))
    assert len(kept) < 4_000 + 2 * 0.02 * 22_050
    assert start < 0.02 * 22_050
    assert len(trimmed(np.zeros(100, np.int16), 22_050)) == 100


@speaks
def test_every_clip_is_a_word_with_its_label(source: Callable[..., Source], tmp_path: Path) -> None:
    made = source()
    labels = sorted({file.label for file in made.files})
    assert len(labels) == 2
    assert not set(labels) & {"zero", "house", "houses", "for", "four", "seventeen", "happier"}
    assert len(made.files) == 2 * (3 + 2)
    for file in made.files:
        sound, rate = soundfile.read(file.path)
        assert 0.2 < len(sound) / rate < 1.5
        edge = round(0.03 * rate)
        assert np.abs(sound).max() > 0.05
        assert min(np.abs(sound[:edge]).max(), np.abs(sound[-edge:]).max()) > 0.0004
    build([made], tmp_path / "corpus")
    table = Corpus.open(tmp_path / "corpus").recordings
    assert set(table["kind"]) == {"words"}
    assert set(table["label"]) == set(labels)
    assert all(row["file"].split("/")[1] == row["label"] for _, row in table.iterrows())
    assert set(table["licence"].str.split(" ").str[0]) == {"GPL-3+", "MIT-CMU"}


@speaks
def test_equal_seeds_give_equal_samples(source: Callable[..., Source]) -> None:
    def spoken(**settings: int) -> list[bytes]:
        return [file.path.read_bytes() for file in source(**settings).files]

    one, again, other = spoken(), spoken(cache="again"), spoken(seed=1)  # type: ignore[arg-type]
    assert one == again
    assert one != other


@speaks
def test_library_and_program_speak_alike(tmp_path: Path) -> None:
    """Compared by their spectra: the noise in them differs."""
    spoken = Espeak().speak(Utterance("sing", "en-us+f2", 140, 60))
    settings = ["-v", "en-us+f2", "-s", "140", "-p", "60", "-w", str(tmp_path / "sing.wav")]
    run_program(["espeak-ng", *settings, "--stdin"], "sing")
    wanted, rate = soundfile.read(tmp_path / "sing.wav", dtype="int16")
    assert rate == Espeak().sample_rate
    spectra = [
        np.abs(np.fft.rfft(trimmed(each, rate), 32_768)).reshape(-1)[:4_096].reshape(64, 64).sum(1)
        for each in (spoken, wanted)
    ]
    assert np.corrcoef(*spectra)[0, 1] > 0.98
    with pytest.raises(ValueError, match="espeak-ng has no voice nosuch"):
        Espeak().speak(Utterance("sing", "nosuch", 140, 60))


def test_missing_library_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(OSError, match=r"espeak-ng's library is missing; install it \(apt-get"):
        Espeak()


def test_corpora_from_before_labels_have_empty_ones(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22_050)
    soundfile.write(tmp_path / "a.wav", noise, 22_050)
    file = AudioFile(tmp_path / "a.wav", "a.wav", "words", "CC0-1.0", "garden")
    build([Source("mine", (file,))], tmp_path / "corpus")
    assert Corpus.open(tmp_path / "corpus").recordings["label"].tolist() == ["garden"]
    table = tmp_path / "corpus" / TABLE_FILE
    pandas.read_parquet(table).drop(columns="label").to_parquet(table, index=False)
    assert Corpus.open(tmp_path / "corpus").recordings["label"].tolist() == [""]
