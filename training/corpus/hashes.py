"""What is in the Debian corpus, in a file small enough to be kept with the code.

``debian.hashes`` holds the beginnings of the SHA-256 of each recording's file and of its samples,
sorted, so that it can be checked without the corpus that no evaluation sound is among them.
"""

from __future__ import annotations

from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from training.corpus.corpus import Corpus

HASHES = Path(__file__).with_name("debian.hashes")
N_BYTES = 5  # of each SHA-256: of some 3e8 pairs one is equal by chance in one case of 4,000

# Sounds that nobody else can have recorded.
_SYNTHESISED = ("espeak-ng", "fluidsynth", "words", "mixtures")


def write_hashes(corpus: Corpus, path: Path = HASHES) -> int:
    """Write those of a corpus; returns how many there are."""
    rows = corpus.recordings[~corpus.recordings["source"].isin(_SYNTHESISED)]
    values = {*rows["sha256"], *rows["samples_sha256"]}
    beginnings = sorted({bytes.fromhex(value)[:N_BYTES] for value in values})
    write_atomically(path, b"".join(beginnings))
    return len(beginnings)


def read_hashes(path: Path = HASHES) -> frozenset[bytes]:
    """The beginnings, `N_BYTES` each.

    Raises
    ------
    ValueError
        If the file is cut.
    """
    content = path.read_bytes()
    if not content or len(content) % N_BYTES:
        raise ValueError(f"{path} is damaged: {len(content)} bytes are no multiple of {N_BYTES}")
    return frozenset(content[at : at + N_BYTES] for at in range(0, len(content), N_BYTES))
