"""Single words, each spoken by many voices of espeak-ng and flite, labelled with the word.

Clip `k` of a word is determined by the seed, the word's number and `k` alone: an accent, a voice
variant, speed and pitch; the last ones of each word are flite's, one per voice.

espeak-ng speaks a batch of words in a process of its own, since the state of its library carries
over. A batch is complete when its last file exists.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import writing
from training.corpus import word_list
from training.corpus.packages import Package, find_package, unpacked
from training.corpus.programs import run_program, write_once
from training.corpus.source import AudioFile, Source
from training.corpus.speech import (
    PITCHES,
    SPEEDS,
    VARIANTS,
    VOICE_LICENCE,
    Utterance,
    espeak_version,
)

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
# Constants of speak_lib.h, the library's interface.
_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

Batch = Sequence[tuple[Utterance, Path]]
_QUIET = 0.01  # of the peak: quieter samples before and after a word are trimmed
_MARGIN_S = 0.015


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
    version = espeak_version()
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
    listed = word_list.read_words(unpacked(package, cache))
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


class Espeak:
    """Speech synthesiser for single words.

    Attributes
    ----------
    sample_rate : int
        In Hz.

    Raises
    ------
    OSError
        If the library or its data are missing.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise OSError(
                "espeak-ng's library is missing; install it (apt-get install espeak-ng), or build "
                "the corpus without words: give the other sources with --only"
            )
        self._library = ctypes.CDLL(name)
        self._spoken: list[NDArray[np.int16]] = []
        self.sample_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _NO_EXIT))
        if self.sample_rate <= 0:
            raise OSError("espeak-ng cannot start: its data are missing; install espeak-ng-data")
        self._callback = _Callback(self._take)  # a reference, or it would be freed
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, utterance: Utterance) -> NDArray[np.int16]:
        """Samples, int16 ``(n_samples,)``.

        Raises
        ------
        ValueError
            If there is no such voice.
        """
        if self._library.espeak_SetVoiceByName(utterance.voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {utterance.voice}")
        self._library.espeak_SetParameter(_RATE, utterance.speed, 0)
        self._library.espeak_SetParameter(_PITCH, utterance.pitch, 0)
        text = utterance.text.encode()
        self._spoken.clear()
        self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None)
        return np.concatenate([np.zeros(0, np.int16), *self._spoken])

    def _take(self, samples: ctypes.Array[ctypes.c_short], n: int, _: object) -> int:
        if samples and n > 0:
            self._spoken.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0


def speak_batches(batches: Sequence[Batch], n_processes: int) -> None:
    """Synthesise the missing batches to files, trimmed.

    Raises
    ------
    ValueError
        If there is no such voice.
    OSError
        If espeak-ng is missing, or a file cannot be written.
    """
    missing = [batch for batch in batches if not batch[-1][1].is_file()]
    if not missing:
        return
    with ProcessPoolExecutor(
        n_processes, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        list(pool.map(_speak, missing))


def trimmed(samples: NDArray[np.int16], sample_rate: int) -> NDArray[np.int16]:
    """A word without the silence before and after it, except for a margin.

    Examples
    --------
    >>> sound = np.zeros(22_050, np.int16)
    >>> sound[10_000:12_000] = 9_000
    >>> len(trimmed(sound, 22_050))
    2661
    """
    loudness = np.abs(samples.astype(np.int32))
    audible = np.flatnonzero(loudness > _QUIET * loudness.max(initial=0))
    if not len(audible):
        return samples
    margin = round(_MARGIN_S * sample_rate)
    return samples[max(audible[0] - margin, 0) : audible[-1] + margin]


def trim(path: Path) -> None:
    """Trim a 16-bit WAV file."""
    import soundfile

    samples, sample_rate = soundfile.read(path, dtype="int16")
    _write(path, samples, sample_rate)


def _speak(batch: Batch) -> None:
    speaker = Espeak()
    for utterance, path in batch:
        samples = speaker.speak(utterance)
        with writing(path, durable=False) as temporary:
            _write(temporary, samples, speaker.sample_rate)


def _write(path: Path, samples: NDArray[np.int16], sample_rate: int) -> None:
    import soundfile

    soundfile.write(path, trimmed(samples, sample_rate), sample_rate, "PCM_16", format="WAV")
