"""Hashes of the Debian corpus, in a file small enough for the repository.

``debian.hashes`` holds the first bytes of the SHA-256 of each recording's file and of its samples,
sorted, to check without the corpus that it contains no evaluation recording.
"""

from __future__ import annotations

from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from training.corpus.corpus import Corpus

HASHES = Path(__file__).with_name("debian.hashes")
N_BYTES = 5  # of each SHA-256: among 3e8 pairs, a chance match has p = 1/4000

# Sources that are original to this project.
_SYNTHESISED = ("espeak-ng", "fluidsynth", "words", "mixtures")


def write_hashes(corpus: Corpus, path: Path = HASHES) -> int:
    """Write the hashes of a corpus; returns their number."""
    rows = corpus.recordings[~corpus.recordings["source"].isin(_SYNTHESISED)]
    values = {*rows["sha256"], *rows["samples_sha256"]}
    beginnings = sorted({bytes.fromhex(value)[:N_BYTES] for value in values})
    write_atomically(path, b"".join(beginnings))
    return len(beginnings)


def read_hashes(path: Path = HASHES) -> frozenset[bytes]:
    """The truncated hashes, `N_BYTES` each.

    Raises
    ------
    ValueError
        If the file is truncated.
    """
    content = path.read_bytes()
    if not content or len(content) % N_BYTES:
        raise ValueError(f"{path} is damaged: {len(content)} bytes are not a multiple of {N_BYTES}")
    return frozenset(content[at : at + N_BYTES] for at in range(0, len(content), N_BYTES))
