"""All sources of the Debian corpus: the packages of the catalogue, then the synthesised ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from training.corpus.music import music_source
from training.corpus.packages import choose, package_source, read_catalogue
from training.corpus.source import Source
from training.corpus.speech import speech_source
from training.corpus.words import words_source

SYNTHESISERS: dict[str, Callable[[Path], Source]] = {
    "espeak-ng": speech_source,
    "fluidsynth": music_source,
    "words": words_source,
}


def debian_sources(
    cache: Path, only: Sequence[str] = (), *, progress: bool = False
) -> Iterator[Source]:
    """Fetch or synthesise the sources one after the other, lazily.

    Parameters
    ----------
    cache : Path
        Folder of packages and synthesised audio, reused in later builds.
    only : sequence of str
        Names of packages or synthesisers; empty: all.
    progress : bool
        Show a progress bar.

    Raises
    ------
    ValueError
        If a name is unknown here or to apt, or a package is damaged.
    OSError
        If a download fails, a program is missing, or the disk is full.
    """
    from training.progress import bar

    packages = [name for name in only if name not in SYNTHESISERS]
    chosen = choose(read_catalogue(), packages) if packages or not only else []
    steps: list[tuple[str, Callable[[Path], Source]]] = [
        (entry.names[0], partial(package_source, entry)) for entry in chosen
    ]
    steps += [(name, make) for name, make in SYNTHESISERS.items() if name in only or not only]
    shown = bar(steps, shown=progress, leave=False)
    for name, make in shown:
        shown.set_description(name)
        yield make(cache)
