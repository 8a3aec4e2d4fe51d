"""Texts for speech synthesis: the packages of ``texts.toml``, and their passages."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from training.config import Settings
from training.corpus.catalogue import read_catalogue_of

CATALOGUE = Path(__file__).with_name("texts.toml")

_N_CHARACTERS = (40, 240)  # of a passage: some three to fifteen seconds


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


class _Catalogue(Settings):
    text: tuple[TextEntry, ...]


def read_texts(path: Path = CATALOGUE) -> tuple[TextEntry, ...]:
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
    return read_catalogue_of(path, _Catalogue, "texts").text


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
