"""A list of files, as written by ``find``."""

from __future__ import annotations

import os
from pathlib import Path

from hear_brainsoundnet.records import Entry


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
