"""Checksums of files, with the name of their kind."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from hear_brainsoundnet.files import blake2b_of


def checksum_of(path: Path, stop: Event | None = None) -> str:
    """:func:`hear_brainsoundnet.files.blake2b_of` of a file, after its name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("a")
    ...     checksum_of(Path(folder, "a.txt"))[:28]
    'blake2b-256:8928aae63c84d87e'
    """
    return f"blake2b-256:{blake2b_of(path, stop)}"
