"""Search for audio and video files in a folder, shared by all commands.

Skipped files are listed by reason, so that none is ignored silently. Links to folders are followed,
each folder once. Hidden files and folders, and those created by operating systems (``__MACOSX``,
trash), are left out: ``._a.wav`` is not audio.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

AUDIO = ".aac .ac3 .aif .aifc .aiff .amr .au .caf .flac .m4a .m4b .mka .mp2 .mp3 .oga .ogg .opus"
MORE_AUDIO = ".rf64 .snd .sph .w64 .wav .wave .weba .wma"
FILMS = ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv"
AUDIO_SUFFIXES = frozenset(f"{AUDIO} {MORE_AUDIO}".split())
FILM_SUFFIXES = frozenset(FILMS.split())
SOUND_SUFFIXES = AUDIO_SUFFIXES | FILM_SUFFIXES

SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"})
N_NAMED = 5  # skipped files named per reason

HIDDEN = "hidden, or made by the system"
NO_TARGET = "links without a target"
REPEATED = "links to a folder that is searched already"
LINKS = "links"
IRREGULAR = "no regular files (pipes, sockets, devices)"
UNREADABLE = "folders that cannot be read"
OTHER = "no sound or film by their suffix"


def is_sound(path: Path) -> bool:
    """Whether the suffix is that of an audio or video file.

    Examples
    --------
    >>> [is_sound(Path(name)) for name in ("a.WAV", "film.mkv", "notes.txt", "wav")]
    [True, True, False, False]
    """
    return path.suffix.lower() in SOUND_SUFFIXES


def printable(text: str | os.PathLike[str]) -> str:
    """A name or message on one line that is safe in any terminal, JSON or CSV file.

    Bytes that are not UTF-8 and control characters are escaped.

    Examples
    --------
    >>> printable("caf\\udce9\\n.wav"), printable("café.wav")
    ('caf\\\\xe9\\\\n.wav', 'café.wav')
    """
    decoded = os.fspath(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in decoded
    )


def is_text(path: str | os.PathLike[str]) -> bool:
    """Whether a name is UTF-8, as required by tables and datasets.

    Examples
    --------
    >>> is_text("café.wav"), is_text("caf\\udce9.wav")
    (True, False)
    """
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass
class FoundSounds:
    """Result of a search.

    Attributes
    ----------
    folder : Path
        The folder searched.
    files : list of Path
        Audio and video files, sorted.
    left_out : dict of str to list of Path
        The other files by the reason for leaving them out. In hidden folders only audio and video
        files are listed.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def findings(self) -> list[str]:
        """One line per reason: number of files left out, and the first names."""
        return [
            f"{printable(self.folder)}: left out, {reason}: {len(paths)} ({self._named(reason)})"
            for reason, paths in sorted(self.left_out.items())
        ]

    def _leave_out(self, reason: str, path: Path) -> None:
        self.left_out.setdefault(reason, []).append(path)

    def _named(self, reason: str) -> str:
        paths = self.left_out[reason]
        if reason == OTHER:
            kinds = Counter(path.suffix.lower() or "without suffix" for path in paths)
            names = [f"{n} {printable(kind)}" for kind, n in kinds.most_common()]
        else:
            names = [printable(path.relative_to(self.folder)) for path in sorted(paths)]
        return shown(names, N_NAMED)


def find_sound_files(folder: Path, *, follow_links: bool = True) -> FoundSounds:
    """Search a folder recursively for audio and video files.

    Parameters
    ----------
    folder : Path
        An existing folder.
    follow_links : bool
        If false, links to files and folders are left out, too: for untrusted folders.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for each in ("b.wav", "a.mp3", "notes.txt", "._b.wav"):
    ...         Path(name, each).touch()
    ...     found = find_sound_files(Path(name))
    >>> [path.name for path in found.files], sum(map(len, found.left_out.values()))
    (['a.mp3', 'b.wav'], 2)
    """
    found = FoundSounds(folder)
    pending, seen = [(folder, False)], {os.path.realpath(folder)}
    while pending:
        parent, hidden = pending.pop()
        try:
            entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
        except OSError:
            found._leave_out(UNREADABLE, parent)
            continue
        for entry in entries:
            path = parent / entry.name
            if entry.name == ".git":  # git-annex keeps the targets of its links in there
                continue
            below = hidden or entry.name.startswith(".") or entry.name in SYSTEM_FOLDERS
            if not _is_folder(entry):
                _sort_in(found, path, entry, below, follow_links)
            elif entry.is_symlink() and (below or not follow_links):
                found._leave_out(HIDDEN if below else LINKS, path)
            elif (place := os.path.realpath(path)) in seen:
                found._leave_out(REPEATED, path)
            else:
                seen.add(place)
                pending.append((path, below))
    found.files.sort()
    return found


def _sort_in(
    found: FoundSounds, path: Path, entry: os.DirEntry[str], hidden: bool, follow_links: bool
) -> None:
    if hidden:
        if is_sound(path):
            found._leave_out(HIDDEN, path)
    elif not is_sound(path):
        found._leave_out(OTHER, path)
    elif entry.is_symlink() and not follow_links:
        found._leave_out(LINKS, path)
    elif path.is_file():
        found.files.append(path)
    elif entry.is_symlink() and not path.exists():
        found._leave_out(NO_TARGET, path)
    else:
        found._leave_out(IRREGULAR, path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a cycle of links
        return False


def shown(names: Sequence[str], most: int = 20) -> str:
    """The first names of a list, and the number of further ones.

    Examples
    --------
    >>> shown(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
