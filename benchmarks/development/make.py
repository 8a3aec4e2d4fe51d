"""All development tasks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.development.layout import FRAMES, SCENES
from benchmarks.development.notes import make_instrument, make_note
from benchmarks.development.onset_clips import make_onset
from benchmarks.development.sounds import make_event, make_kind
from benchmarks.development.voices import make_letter, make_phrase, make_speaker
from benchmarks.development.words import BANDS, make_words
from training.corpus.corpus import Corpus


def make_all(corpus_folder: Path, cache: Path, out: Path) -> Iterator[Path]:
    """Make each task unless it exists; yields its folder.

    Parameters
    ----------
    corpus_folder : Path
        Corpus that recordings are taken from.
    cache : Path
        Folder for downloads and synthesised files.
    out : Path
        Folder for the tasks: scene tasks in ``tasks``, where ``benchmarks.hear`` finds them, too;
        the onset task in ``frames``.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no corpus, or it lacks recordings for a task.
    OSError
        If a synthesiser is missing, or its soundfont cannot be downloaded.
    """
    corpus, scenes = Corpus.open(corpus_folder), out / SCENES
    for make in (make_kind, make_event, make_speaker, make_phrase, make_letter):
        yield make(corpus, scenes)
    for what in BANDS:
        yield make_words(what, cache, scenes)
    for make_played in (make_instrument, make_note):
        yield make_played(cache, scenes)
    yield make_onset(corpus, out / FRAMES)
