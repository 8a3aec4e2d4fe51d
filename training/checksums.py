"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Event

from hear_brainsoundnet.files import blake2b_of


def checksum_of(path: Path, stop: Event | None = None) -> str:
    """:func:`hear_brainsoundnet.files.blake2b_of` of a file, prefixed with the algorithm.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("a")
    ...     checksum_of(Path(folder, "a.txt"))[:28]
    'blake2b-256:8928aae63c84d87e'
    """
    return f"blake2b-256:{blake2b_of(path, stop)}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as stated by publishers of files.

    Raises
    ------
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("a")
    ...     sha256_of(Path(folder, "a.txt"))[:16]
    'ca978112ca1bbdca'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
