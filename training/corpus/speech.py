"""Speech synthesised by espeak-ng: free texts in many languages, by many voices.

Recording `i` is determined by the seed and `i` alone: a language, a passage of its text, a voice
variant, speed and pitch. Sayings are spoken verbatim; from word lists a few words are drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from training.config import Settings
from training.corpus.packages import find_package, read_entries, unpacked
from training.corpus.programs import run_program, write_once
from training.corpus.source import AudioFile, Source

N_RECORDINGS = 2_000  # of some seven seconds each
SEED = 0
VOICE_LICENCE = "GPL-3+"

VARIANTS = (
    *(f"f{i}" for i in range(1, 6)),
    *(f"m{i}" for i in range(1, 9)),
    *("klatt", "klatt2", "klatt3", "klatt4", "croak", "whisper", "whisperf", "Andy", "Annie"),
    *("Gene", "Michael", "Mario", "adam", "anika", "announcer", "belinda", "boris", "david"),
    *("edward", "grandma", "grandpa", "linda", "steph", "rob"),
)
SPEEDS = (110, 230)  # words a minute
PITCHES = (15, 85)  # of 0 to 99
_N_WORDS = (8, 25)  # of an utterance from a word list
_N_CHARACTERS = (40, 240)  # of a passage: some three to fifteen seconds


@dataclass(frozen=True)
class Utterance:
    """Text and voice: `speed` in words per minute, `pitch` from 0 to 99."""

    text: str
    voice: str
    speed: int
    pitch: int


class TextEntry(Settings):
    """A package of text.

    Attributes
    ----------
    names : tuple of str
        The first name known to apt is used.
    language : str
        Language of the voice, by espeak-ng's name.
    licence : str
        Licence of the text.
    take : tuple of str
        Patterns of the files; ``*`` matches any characters.
    """

    names: tuple[str, ...]
    language: str
    licence: str
    take: tuple[str, ...] = ("usr/share/games/fortunes/*", "usr/share/dict/*")


def read_texts() -> tuple[TextEntry, ...]:
    """The text packages.

    Examples
    --------
    >>> read_texts()[0].language
    'en-us'
    """
    return read_entries("texts.toml", TextEntry)


def passages_of(entry: TextEntry, folder: Path) -> list[str]:
    """The passages of a text package unpacked in `folder`, in the order of its files.

    Raises
    ------
    ValueError
        If there are none.
    """
    passages = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        taken = any(fnmatchcase(name, pattern) for pattern in entry.take)
        if not taken or path.suffix in (".dat", ".u8") or path.is_symlink():
            continue
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode("latin-1")  # an older word list
        if "/dict/" in name:
            passages += [word for line in text.splitlines() if (word := line.strip()).isalpha()]
        else:
            parts = (" ".join(part.split()) for part in text.split("\n%"))
            passages += [
                part for part in parts if _N_CHARACTERS[0] <= len(part) <= _N_CHARACTERS[1]
            ]
    if not passages:
        raise ValueError(f"{entry.names[0]} has no text at the catalogue's paths")
    return passages


def draw_utterance(passages: Mapping[str, Sequence[str]], seed: int, i: int) -> Utterance:
    """Draw the `i`-th utterance.

    Parameters
    ----------
    passages : mapping
        From espeak-ng's language names to passages or single words.
    seed, i : int

    Examples
    --------
    >>> draw_utterance({"de": ["Guten Morgen, wie geht es Ihnen?"]}, seed=0, i=0).text
    'Guten Morgen, wie geht es Ihnen?'
    """
    rng = np.random.default_rng([seed, i])
    language = sorted(passages)[int(rng.integers(len(passages)))]
    choice = passages[language]
    text = choice[int(rng.integers(len(choice)))]
    if " " not in text:
        words = rng.integers(len(choice), size=rng.integers(*_N_WORDS, endpoint=True)).tolist()
        text = " ".join(choice[word] for word in words)
    variant = VARIANTS[rng.integers(len(VARIANTS))]
    return Utterance(
        text,
        f"{language}+{variant}",
        int(rng.integers(*SPEEDS, endpoint=True)),
        int(rng.integers(*PITCHES, endpoint=True)),
    )


def espeak_version() -> str:
    """Version of the installed espeak-ng; OSError if it is missing."""
    return run_program(["espeak-ng", "--version"]).split("  Data at")[0].split(": ")[-1].strip()


def speech_source(cache: Path, n_recordings: int = N_RECORDINGS, seed: int = SEED) -> Source:
    """Synthesise the recordings missing in the cache.

    Raises
    ------
    OSError
        If espeak-ng is missing, or a text cannot be downloaded.
    """
    version = espeak_version()
    passages: dict[str, list[str]] = {}
    packages, licences = [], set()
    for entry in read_texts():
        package = find_package(entry.names)
        found = passages_of(entry, unpacked(package, cache))
        passages.setdefault(entry.language, []).extend(found)
        packages.append(f"{package.name} {package.version}")
        licences.add(entry.licence)
    key = hashlib.sha256(repr((version, packages, seed)).encode()).hexdigest()[:8]
    folder = cache / "synthesised" / f"espeak-ng-{key}"
    licence = f"{VOICE_LICENCE} (voices); {', '.join(sorted(licences))} (texts)"
    files = []
    for i in range(n_recordings):
        utterance = draw_utterance(passages, seed, i)
        path = folder / f"{i:05}.wav"
        settings = ["-v", utterance.voice, "-s", str(utterance.speed), "-p", str(utterance.pitch)]
        # The text is passed by standard input, so that none of it is parsed as an option.
        command = ["espeak-ng", *settings, "-b", "1", "-w", "{out}", "--stdin"]
        write_once(path, command, utterance.text)
        files.append(AudioFile(path, f"{utterance.voice}/{path.name}", "speech", licence))
    made_with = {"espeak-ng": version, "seed": str(seed), "texts": ", ".join(packages)}
    return Source("espeak-ng", tuple(files), version, made_with=made_with)
