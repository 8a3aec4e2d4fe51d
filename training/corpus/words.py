"""Single words, each spoken by many voices of espeak-ng and flite, labelled with the word.

Clip `k` of a word is determined by the seed, the word's number and `k` alone: an accent, a voice
variant, speed and pitch; the last ones of each word are flite's, one per voice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.corpus import word_list
from training.corpus.fetch import fetch, find_package, unpack
from training.corpus.programs import run_program, write_once
from training.corpus.source import AudioFile, Source
from training.corpus.speech import PITCHES, SPEEDS, VARIANTS, VOICE_LICENCE, Utterance
from training.corpus.word_clips import speak_batches, trim

if TYPE_CHECKING:
    from training.corpus.fetch import Package

KIND = "words"
N_WORDS = 1_200
N_ESPEAK = 20  # clips per word
SEED = 0

# The library's English languages, by file name ("en" is British).
_ACCENTS = (
    *("en", "en-us", "en-us-nyc", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
    *("en-gb-x-rp", "en-029"),
)
FLITE_VOICES = ("awb", "kal16")  # rms and slt are used in benchmarks/development
_FLITE_LICENCE = "MIT-CMU"
_STRETCHES = (0.75, 1.5)  # of duration
_FREQUENCIES = {"awb": (90, 200), "kal16": (75, 160)}  # Hz
_N_PROCESSES = 2
_N_AT_A_TIME = 100  # words per process of espeak-ng


def draw_speaker(word: str, seed: int, number: int, k: int) -> Utterance:
    """Clip `k` of a word by espeak-ng.

    Parameters
    ----------
    word : str
    seed, number, k : int
        `number` is the index of the word.

    Examples
    --------
    >>> draw_speaker("garden", seed=0, number=3, k=0) == draw_speaker("garden", 0, 3, 1)
    False
    """
    rng = np.random.default_rng([seed, number, k])
    accent = _ACCENTS[rng.integers(len(_ACCENTS))]
    variant = VARIANTS[rng.integers(len(VARIANTS))]
    return Utterance(
        word,
        f"{accent}+{variant}",
        int(rng.integers(*SPEEDS, endpoint=True)),
        int(rng.integers(*PITCHES, endpoint=True)),
    )


def words_source(
    cache: Path, n_words: int = N_WORDS, n_espeak: int = N_ESPEAK, seed: int = SEED
) -> Source:
    """Synthesise the clips missing in the cache.

    Raises
    ------
    OSError
        If espeak-ng or flite is missing, or the word list cannot be downloaded.
    """
    version = run_program(["espeak-ng", "--version"]).split("  Data at")[0].split(": ")[-1].strip()
    run_program(["flite", "-lv"])
    flite = find_package(["flite"])
    package = find_package([word_list.PACKAGE])
    words = _words(package, cache, n_words, seed)
    settings = (version, flite.version, words, n_espeak, seed)
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
    folder = cache / "synthesised" / f"words-{key}"
    files = [
        *_by_espeak(words, folder / "espeak-ng", n_espeak, seed),
        *_by_flite(words, folder / "flite", n_espeak, seed),
    ]
    made_with = {
        "espeak-ng": version,
        "flite": flite.version,
        "words": f"{package.name} {package.version}",
        "seed": str(seed),
    }
    return Source(KIND, tuple(files), version, made_with=made_with)


def _words(package: Package, cache: Path, n: int, seed: int) -> list[str]:
    listed = word_list.read_words(unpack(fetch(package, cache)))
    known = sorted({*listed, *word_list.EVALUATED})
    # Empty lines between the words, so that each is spoken in isolation.
    command = ["espeak-ng", "-v", "en-us", "-q", "--ipa", "--stdin"]
    spoken = run_program(command, "\n\n".join(known)).split("\n")
    phonemes = dict(zip(known, [line for line in spoken if line.strip()], strict=True))
    return word_list.choose_words(phonemes, n, seed)


def _by_espeak(words: Sequence[str], folder: Path, n_clips: int, seed: int) -> list[AudioFile]:
    licence = f"{VOICE_LICENCE} (voices); {word_list.LICENCE} (words)"
    files, batches = [], []
    for first in range(0, len(words), _N_AT_A_TIME):
        batch = []
        for number, word in enumerate(words[first : first + _N_AT_A_TIME], first):
            for k in range(n_clips):
                clip = draw_speaker(word, seed, number, k)
                name = f"{word}/{k:02}-{clip.voice}.wav"
                batch.append((clip, folder / name))
                files.append(AudioFile(folder / name, f"espeak-ng/{name}", KIND, licence, word))
        batches.append(batch)
    speak_batches(batches, _N_PROCESSES)
    return files


def _by_flite(words: Sequence[str], folder: Path, first: int, seed: int) -> list[AudioFile]:
    licence = f"{_FLITE_LICENCE} (voices); {word_list.LICENCE} (words)"
    files, commands = [], []
    for number, word in enumerate(words):
        for k, voice in enumerate(FLITE_VOICES, first):
            rng = np.random.default_rng([seed, number, k])
            stretch, frequency = rng.uniform(*_STRETCHES), rng.uniform(*_FREQUENCIES[voice])
            name = f"{word}/{k:02}-{voice}.wav"
            settings = ["--setf", f"duration_stretch={stretch:.3f}"]
            settings += ["--setf", f"int_f0_target_mean={frequency:.1f}"]
            commands.append(["flite", "-voice", voice, *settings, "-t", word, "-o", "{out}"])
            files.append(AudioFile(folder / name, f"flite/{name}", KIND, licence, word))

    def speak(file: AudioFile, command: list[str]) -> None:
        write_once(file.path, command, then=trim)

    with ThreadPoolExecutor(_N_PROCESSES) as pool:  # its threads wait for subprocesses
        list(pool.map(speak, files, commands))
    return files
