"""All sources of the Debian corpus: the packages of the catalogue, then the synthesised ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from pydantic import Field

from hear_brainsoundnet.sound_files import AUDIO_SUFFIXES, find_sound_files
from training.config import Settings
from training.corpus.corpus import LeftOut
from training.corpus.music import music_source
from training.corpus.packages import find_package, read_entries, unpacked
from training.corpus.source import AudioFile, Source
from training.corpus.speech import speech_source
from training.corpus.words import words_source

CATALOGUE = "packages.toml"
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


class PackageEntry(Settings):
    """Selection of files from one package.

    In patterns, which are matched with the path inside the package, ``*`` matches any characters,
    slashes included. The last matching pattern applies.

    Attributes
    ----------
    names : tuple of str
        The first name known to apt is used: names may contain a version.
    licence, kind : str
        Licence and kind of most of its recordings.
    licences, kinds : dict
        Exceptions, by pattern.
    take : tuple of str
        Patterns.
    leave : dict
        Patterns of files to leave out nevertheless, with the reason.
    """

    names: tuple[str, ...]
    licence: str
    kind: str
    licences: dict[str, str] = Field(default_factory=dict)
    kinds: dict[str, str] = Field(default_factory=dict)
    take: tuple[str, ...] = ("*",)
    leave: dict[str, str] = Field(default_factory=dict)


def read_catalogue() -> tuple[PackageEntry, ...]:
    """The packages of recordings, in order.

    Examples
    --------
    >>> read_catalogue()[0].names
    ('asterisk-core-sounds-en-wav',)
    """
    return read_entries(CATALOGUE, PackageEntry)


def package_source(entry: PackageEntry, cache: Path) -> Source:
    """The selected files of a package, downloaded and unpacked unless that is done.

    Raises
    ------
    ValueError
        If apt does not know it, it is damaged, or nothing in it matches.
    OSError
        If it cannot be downloaded.
    """
    package = find_package(entry.names)
    folder = unpacked(package, cache)
    files, left_out = [], []
    for path in find_sound_files(folder, follow_links=False).files:
        if path.suffix.lower() not in AUDIO_SUFFIXES:  # videos of games are not recordings
            continue
        name = path.relative_to(folder).as_posix()
        if not any(fnmatchcase(name, pattern) for pattern in entry.take):
            continue
        if reason := _matching(entry.leave, name, ""):
            left_out.append(LeftOut(file=name, reason=reason))
            continue
        kind = _matching(entry.kinds, name, entry.kind)
        licence = _matching(entry.licences, name, entry.licence)
        files.append(AudioFile(path, name, kind, licence))
    if not files:
        raise ValueError(
            f"{package.name} {package.version} has no audio matched by {CATALOGUE}; inspect "
            "its content and correct the entry"
        )
    return Source(
        package.name, tuple(files), package.version, package.sha256, left_out=tuple(left_out)
    )


def choose(entries: Sequence[PackageEntry], only: Sequence[str]) -> list[PackageEntry]:
    """The entries named in `only`, all if it is empty.

    Raises
    ------
    ValueError
        If a name is not in the catalogue.
    """
    known = {name: entry for entry in entries for name in entry.names}
    if unknown := [name for name in only if name not in known]:
        raise ValueError(
            f"{', '.join(unknown)}: not in {CATALOGUE}; known are {', '.join(sorted(known))}"
        )
    wanted = set(only)
    return [entry for entry in entries if not wanted or wanted & set(entry.names)]


def _matching(patterns: dict[str, str], name: str, otherwise: str) -> str:
    """The value of the last matching pattern."""
    matching = [value for pattern, value in patterns.items() if fnmatchcase(name, pattern)]
    return matching[-1] if matching else otherwise
