"""Catalogues of Debian packages: recordings (``packages.toml``) and texts (``texts.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, ValidationError

from hear_brainsoundnet.sound_files import AUDIO_SUFFIXES, find_sound_files
from training.config import Settings, SettingsT
from training.corpus.fetch import Package, fetch, find_package, unpack
from training.corpus.manifest import LeftOut
from training.corpus.source import AudioFile, Source

CATALOGUE = Path(__file__).with_name("packages.toml")
TEXTS = Path(__file__).with_name("texts.toml")
_N_CHARACTERS = (40, 240)  # of a passage: some three to fifteen seconds


def read_catalogue_of(path: Path, kind: type[SettingsT], holds: str) -> SettingsT:
    """A validated catalogue.

    Parameters
    ----------
    path : Path
        The TOML file.
    kind : type
        Model to validate against.
    holds : str
        Description of the content, for messages.

    Raises
    ------
    ValueError
        If it is not such a catalogue.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is not a catalogue of {holds}: {error}") from error


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


class _Catalogue(Settings):
    package: tuple[PackageEntry, ...]


def read_catalogue(path: Path = CATALOGUE) -> tuple[PackageEntry, ...]:
    """The packages of a corpus, in order.

    Raises
    ------
    ValueError
        If it is not such a catalogue.

    Examples
    --------
    >>> read_catalogue()[0].names
    ('asterisk-core-sounds-en-wav',)
    """
    return read_catalogue_of(path, _Catalogue, "packages").package


def package_source(entry: PackageEntry, cache: Path) -> Source:
    """Download and unpack a package unless that is done, and list the selected files.

    Raises
    ------
    ValueError
        If apt does not know it, it is damaged, or nothing in it matches.
    OSError
        If it cannot be downloaded.
    """
    package = find_package(entry.names)
    folder = unpack(fetch(package, cache))
    return source_of(entry, package, folder)


def source_of(entry: PackageEntry, package: Package, folder: Path) -> Source:
    """List the selected files of a package unpacked in `folder`."""
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
            f"{package.name} {package.version} has no audio matched by {CATALOGUE.name}; inspect "
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
            f"{', '.join(unknown)}: not in {CATALOGUE.name}; known are {', '.join(sorted(known))}"
        )
    wanted = set(only)
    return [entry for entry in entries if not wanted or wanted & set(entry.names)]


def _matching(patterns: dict[str, str], name: str, otherwise: str) -> str:
    """The value of the last matching pattern."""
    matching = [value for pattern, value in patterns.items() if fnmatchcase(name, pattern)]
    return matching[-1] if matching else otherwise


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


class _Texts(Settings):
    text: tuple[TextEntry, ...]


def read_texts(path: Path = TEXTS) -> tuple[TextEntry, ...]:
    """The text packages.

    Raises
    ------
    ValueError
        If it is not such a catalogue.

    Examples
    --------
    >>> read_texts()[0].language
    'en-us'
    """
    return read_catalogue_of(path, _Texts, "texts").text


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
