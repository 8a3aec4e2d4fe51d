"""The audio and video files of a command: search of folders, lists, and names in results.

Skipped files are listed by reason, so that none is ignored silently. Links to folders are followed,
each folder once. Hidden files and folders, and those created by operating systems (``__MACOSX``,
trash), are left out: ``._a.wav`` is not audio.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
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

# Of a file of predictions: names at its root, or in any folder.
RESERVED = ("target_ids", "target_names", ".", "..")

logger = logging.getLogger(__name__)


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


def shown(names: Sequence[object], most: int = 20) -> str:
    """The first names, or other values, of a list, and the number of further ones.

    Examples
    --------
    >>> shown(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


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


def as_text(path: str) -> str:
    """A path as text, with undecodable bytes replaced; HDF5 requires text."""
    return path.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Entry:
    """A file of a command: its path, and its name in the results."""

    path: Path
    name: str


@dataclass
class FoundSounds:
    """Result of a search in `folder`: audio and video files, sorted, and the others by the reason
    for leaving them out. In hidden folders only audio and video files are listed.
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
    """Search an existing folder recursively for audio and video files.

    With `follow_links` false, links to files and folders are left out, too: for untrusted folders.

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


def find_audio(paths: Iterable[str | os.PathLike[str]]) -> list[Entry]:
    """Audio files under `paths`, in a fixed order.

    Skipped files are logged as a warning, one line per reason. Files given explicitly are accepted
    whatever their suffix. A file is named by its path relative to the folder it was found in,
    prefixed by the folder's own name if several paths are given.

    Raises
    ------
    FileNotFoundError
        If a path does not exist.
    ValueError
        If a folder contains no audio, or two files would have the same name.
    """
    roots = [Path(path) for path in paths]
    entries = []
    for root in roots:
        if not root.exists():
            raise FileNotFoundError(f"no such file or folder: {root}")
        if not root.is_dir():
            entries.append(Entry(root, root.name))
            continue
        prefix = Path(root.resolve().name) if len(roots) > 1 else Path()
        found = find_sound_files(root)
        for finding in found.findings():
            logger.warning(finding)
        if not found.files:
            suffixes = " ".join(sorted(SOUND_SUFFIXES))
            raise ValueError(f"no audio in folder {root}; files with these suffixes: {suffixes}")
        entries += [
            Entry(path, (prefix / path.relative_to(root)).as_posix()) for path in found.files
        ]
    return _distinct(entries, "embed them into two folders")


def listed_files(content: bytes) -> list[Entry]:
    """Files of a list: one per line, or null-terminated (``find -print0``).

    Each is named by its path as listed, without a leading ``/`` or ``./``. Empty lines and
    duplicates are skipped. Whether the files exist is checked when they are read.

    Raises
    ------
    ValueError
        If the list names no file, or two files get the same name.

    Examples
    --------
    >>> [entry.name for entry in listed_files(b"./b/a.wav\\n/data/c.wav\\n")]
    ['b/a.wav', 'data/c.wav']
    """
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    found: dict[str, Entry] = {}
    for line in lines:
        if not line.strip():
            continue
        path = Path(os.fsdecode(line))
        name = os.path.normpath(path)
        if name.startswith(os.pardir):
            name = os.path.abspath(path)
        name = Path(os.path.splitdrive(name)[1]).as_posix().lstrip("/")
        other = found.setdefault(name, Entry(path, name))
        if os.path.abspath(other.path) != os.path.abspath(path):
            raise ValueError(f"{other.path} and {path} of the list would both be named {name!r}")
    if not found:
        raise ValueError("the list of files from standard input is empty")
    return list(found.values())


def find_sounds(paths: Sequence[str | os.PathLike[str]]) -> list[Entry]:
    """Audio files under `paths`, each with the name of its predictions.

    That is its path relative to the common parent folder of `paths`, with dots for slashes and
    without a suffix, unless the suffix distinguishes two files.

    Raises
    ------
    FileNotFoundError
        If a path does not exist.
    ValueError
        If a folder contains no audio, or two files would have the same name.
    """
    places = [Path(os.path.abspath(path)) for path in paths]
    files = {
        os.path.abspath(entry.path): entry.path for path in paths for entry in find_audio([path])
    }
    base = os.path.commonpath([place if place.is_dir() else place.parent for place in places])
    relative = [Path(os.path.relpath(file, base)) for file in files]
    short = [".".join(path.with_suffix("").parts) for path in relative]
    count = Counter([*short, *RESERVED])
    names = [
        as_text(name if count[name] == 1 else ".".join(path.parts))
        for name, path in zip(short, relative, strict=True)
    ]
    entries = [Entry(path, name) for path, name in zip(files.values(), names, strict=True)]
    return _distinct(entries, "rename one of them, or give them one after the other")


def _distinct(entries: list[Entry], remedy: str) -> list[Entry]:
    """The entries themselves, if no two have one name."""
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            raise ValueError(
                f"{other.path} and {entry.path} would both be named {entry.name!r}; {remedy}"
            )
    return entries
