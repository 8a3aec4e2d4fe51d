"""Evaluation recordings, excluded from all corpora, and their detection.

A recording is detected by the SHA-256 of its file or samples, and by its acoustic fingerprint,
which also finds copies that were cut, resampled, compressed or attenuated.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.sound_files import is_sound
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.corpus.fingerprints import HOP, Index
from training.corpus.packages import unzip
from training.corpus.source import Recording, decode
from training.data.prepared import INT16_SCALE

DATA_VARIABLE = "BRAINSOUNDNET_DATA"
FOLDERS = ("audio", "fmri/natsound165/sounds")  # inside that folder

# Minimal share of equal bits over n frames for large n, and the term added over the root of n,
# since unrelated recordings agree better by chance over fewer bits. Copies of evaluation recordings
# that were resampled to 8 kHz, attenuated by 20 dB, coded as Vorbis and cut agree in 0.91 of their
# bits (median); the best match in 36 hours of other recordings in 0.80 over 6 frames and in 0.77
# over 9.
LEAST_AGREEMENT = 0.70
SHORT_SOUNDS = 0.40

_ARCHIVES = (".tar.gz", ".tgz", ".zip")
HASHES = Path(__file__).with_name("debian.hashes")
N_BYTES = 5  # of each SHA-256: among 3e8 pairs, a chance match has p = 1/4000
# Sources that are original to this project.
_SYNTHESISED = ("espeak-ng", "fluidsynth", "words", "mixtures")


class HeldOut:
    """All evaluation recordings in some folders.

    Parameters
    ----------
    folders : sequence of Path
        Searched recursively; ``.zip`` and ``.tar.gz`` archives are included.

    Attributes
    ----------
    names : list of str
        Names of the recordings.

    Raises
    ------
    ValueError
        If there are none, or one cannot be decoded.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.names: list[str] = []
        self._hashes: dict[str, int] = {}
        sounds = []
        for folder in folders:
            for name, path in _sounds(folder):
                recording = _decoded(path)
                for value in (recording.sha256, recording.samples_sha256):
                    self._hashes.setdefault(value, len(self.names))
                sounds.append(recording.samples)
                self.names.append(name)
        if not self.names:
            raise ValueError(
                f"no evaluation recording in {', '.join(map(str, folders))}; give the folder that "
                "contains them"
            )
        self._index = Index(each.astype(np.float32) / np.float32(INT16_SCALE) for each in sounds)

    def reason_against(self, samples: NDArray[np.float32], sha256: str, samples_sha256: str) -> str:
        """Description of the evaluation recording contained in a recording; empty if there is none.

        Parameters
        ----------
        samples : ndarray
            float32 ``(n_samples,)`` at the corpus rate.
        sha256, samples_sha256 : str
            Hashes of its file and of its int16 samples.
        """
        for value, what in ((sha256, "file"), (samples_sha256, "samples")):
            if value in self._hashes:
                return f"held out: the same {what} as {self.names[self._hashes[value]]}"
        for found in self._index.find(samples, LEAST_AGREEMENT, SHORT_SOUNDS):
            seconds = found.n_frames * HOP / SAMPLE_RATE
            return (
                f"held out: sounds like {self.names[found.known]} ({found.agreement:.0%} of the "
                f"fingerprint over {seconds:.2f} s, from {found.start * HOP / SAMPLE_RATE:.2f} s)"
            )
        return ""


def matches(corpus: Corpus, held_out: HeldOut, *, progress: bool = False) -> dict[int, str]:
    """The recordings of a corpus that contain an evaluation recording: indices and descriptions."""
    from training.progress import bar

    hashes = corpus.recordings[["sha256", "samples_sha256"]].to_numpy()
    found = {}
    for i in bar(range(len(corpus)), shown=progress, leave=False):
        if reason := held_out.reason_against(corpus.samples(i), *hashes[i]):
            found[i] = reason
    return found


def evaluation_folders(given: Sequence[Path] | None = None) -> list[Path]:
    """The folders `given`, or those of the data in ``BRAINSOUNDNET_DATA``, if any.

    Raises
    ------
    ValueError
        If one of them is not a folder.
    """
    folders = list(given or ())
    if not folders and (data := os.environ.get(DATA_VARIABLE)):
        folders = [Path(data, folder) for folder in FOLDERS]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; expected one with evaluation recordings")
    return folders


def _decoded(path: Path) -> Recording:
    try:
        return decode(path, shortest=0.0, silence=-1.0)
    except ValueError as error:
        raise ValueError(f"evaluation recording: {error}") from error


def _sounds(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Names and paths of the recordings in a folder; files from archives exist until the next
    one."""
    prefix = prefix or folder.name
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = f"{prefix}/{path.relative_to(folder).as_posix()}"
        if is_sound(path):
            yield name, path
        elif path.name.lower().endswith(_ARCHIVES):
            with tempfile.TemporaryDirectory() as temporary:
                if path.suffix.lower() == ".zip":
                    unzip(path, Path(temporary))
                else:
                    with tarfile.open(path) as archive:
                        archive.extractall(temporary, filter="data")
                yield from _sounds(Path(temporary), name)


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
