"""Single notes played by a sampler: instrument family, and note.

``instrument``: ten families of General MIDI, tested on programs not used in training. ``note``: one
of 24 consecutive notes, tested on instruments not used in training.

The instruments are those of the corpora's music; these notes are played for the tasks only, without
reverberation and far apart, so that they do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.development.excerpts import SEED, scene_task
from benchmarks.hear.tasks.task_writer import LabelledClip, fold_names, make_scene_task
from training.corpus.corpus import SAMPLE_RATE
from training.corpus.music import (
    SOUNDFONT_LICENCE,
    SOUNDFONT_PACKAGE,
    Note,
    Score,
    play,
    soundfont_of,
)
from training.corpus.packages import find_package

N_FOLDS = 4
SECONDS = 1.0
FAMILIES = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass",
    "reed", "pipe",
)  # fmt: skip
PROGRAMS_PER_FAMILY = 8
N_KEYS = 5  # of each program
KEYS = (40, 80)  # range of keys, end excluded
# From piano to flute, in order of families; a fold has every fourth.
PITCHED = (0, 4, 6, 11, 16, 19, 21, 24, 26, 40, 42, 46, 48, 52, 56, 60, 65, 68, 71, 73)
NOTES = range(48, 72)  # C3 to B4
NAMES = ("C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B")
_HELD, _APART = 0.8, 2.5  # duration of a note, and interval between onsets, in seconds
_VELOCITIES = (60, 115)
_CHANNELS = tuple(channel for channel in range(16) if channel != 9)  # 9 is for drums
_DRY = ("-R", "0", "-C", "0")  # neither reverberation nor chorus


@dataclass(frozen=True)
class PlayedNote:
    """A note by a program of General MIDI, with its label and fold."""

    program: int
    key: int
    label: str
    fold: int


def instrument_notes() -> list[PlayedNote]:
    """Notes of the instrument task; a fold has two programs of each family."""
    notes = []
    for family, label in enumerate(FAMILIES):
        for number in range(PROGRAMS_PER_FAMILY):
            program = family * PROGRAMS_PER_FAMILY + number
            rng = np.random.default_rng([SEED, program])
            keys = rng.choice(np.arange(*KEYS), N_KEYS, replace=False).tolist()
            notes += [PlayedNote(program, key, label, number % N_FOLDS) for key in keys]
    return notes


def scale_notes() -> list[PlayedNote]:
    """Notes of the note task; a fold has a quarter of the instruments."""
    return [
        PlayedNote(program, key, note_name(key), number % N_FOLDS)
        for number, program in enumerate(PITCHED)
        for key in NOTES
    ]


def note_name(key: int) -> str:
    """Name of a MIDI key.

    Examples
    --------
    >>> note_name(60), note_name(70)
    ('C4', 'A sharp4')
    """
    octave, step = divmod(key, len(NAMES))
    return f"{NAMES[step]}{octave - 1}"


def make_instrument(cache: Path, tasks_folder: Path) -> Path:
    """Make the instrument task, unless it exists; returns its folder.

    Rendered audio is kept in `cache`.

    Raises
    ------
    OSError
        If fluidsynth is missing, or its soundfont cannot be downloaded.
    """
    return _make("instrument", "family of instruments", instrument_notes(), cache, tasks_folder)


def make_note(cache: Path, tasks_folder: Path) -> Path:
    """Make the note task, as :func:`make_instrument`."""
    return _make("note", "note", scale_notes(), cache, tasks_folder)


def _make(
    what: str, label: str, notes: Sequence[PlayedNote], cache: Path, tasks_folder: Path
) -> Path:
    names = fold_names(N_FOLDS)
    about = f"""
- Source: fluidsynth with the instruments of {SOUNDFONT_PACKAGE} ({SOUNDFONT_LICENCE}).
- Label: the {label}.
- Folds: programs of General MIDI, every fourth in each."""
    task = scene_task(what, names, SECONDS, about)

    def clips() -> list[LabelledClip]:
        package = find_package([SOUNDFONT_PACKAGE])
        soundfont = soundfont_of(package, cache)
        folder = cache / "synthesised" / f"development-{what}-{package.version}"
        programs = sorted({note.program for note in notes})
        found = []
        for first in range(0, len(programs), len(_CHANNELS)):
            own = programs[first : first + len(_CHANNELS)]
            played = [note for note in notes if note.program in own]
            path = folder / f"{own[0]:03}.wav"
            play(score_of(played, own), soundfont, path, _DRY)
            found += [
                LabelledClip(
                    f"{note.program:03}-{note.key:03}.wav",
                    note.label,
                    names[note.fold],
                    partial(_cut, path, number * _APART),
                )
                for number, note in enumerate(played)
            ]
        return found

    return make_scene_task(task, tasks_folder, clips)


def score_of(notes: Sequence[PlayedNote], programs: Sequence[int]) -> Score:
    """One note after the other, each program on a separate channel."""
    by_channel = [0] * (max(_CHANNELS) + 1)
    for channel, program in zip(_CHANNELS, programs, strict=False):
        by_channel[channel] = program
    rng = np.random.default_rng([SEED, *programs])
    played = []
    for number, note in enumerate(notes):
        start = number * _APART
        channel = _CHANNELS[programs.index(note.program)]
        played.append(
            Note(start, start + _HELD, channel, note.key, int(rng.integers(*_VELOCITIES)))
        )
    return Score("notes", "notes", tuple(by_channel), tuple(played))


def _cut(path: Path, start: float) -> tuple[NDArray[np.float64], int]:
    """Samples and rate of the note that begins after `start` seconds."""
    import soxr

    rate = soundfile.info(path).samplerate
    first = round(start * rate)
    audio, _ = soundfile.read(path, round(SECONDS * rate), first, dtype="float64", always_2d=True)
    return soxr.resample(audio.mean(axis=1), rate, SAMPLE_RATE, quality="HQ"), SAMPLE_RATE
