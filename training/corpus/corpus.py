"""Audio corpus on disk: all recordings in one file of samples, a table, and a manifest.

::

    CORPUS/
        audio.int16          little-endian int16, mono, 22,050 Hz: the recordings end to end
        recordings.parquet   one row per recording, see RECORDING_COLUMNS
        manifest.json        where each source comes from, its licence, hours; see Manifest

An int16 sample x represents ``x / 32768``. The folder appears under its name only when complete.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.corpus.manifest import Manifest
from training.data.prepared import INT16_SCALE
from training.data.stimuli import DEFAULT_SAMPLE_RATE

if TYPE_CHECKING:
    import pandas

AUDIO_FILE = "audio.int16"
TABLE_FILE = "recordings.parquet"
MANIFEST_FILE = "manifest.json"
SAMPLE_RATE = DEFAULT_SAMPLE_RATE  # Hz
SAMPLE_TYPE = np.dtype("<i2")

# Columns of the table: position of a recording in the audio file (samples), its origin (path inside
# the source), the SHA-256 of that file and of the int16 samples, kind of content, licence, and
# label: the spoken word, empty if unknown.
RECORDING_COLUMNS = {
    "start_sample": "int64",
    "n_samples": "int64",
    "source": "str",
    "file": "str",
    "sha256": "str",
    "samples_sha256": "str",
    "kind": "str",
    "licence": "str",
    "label": "str",
}


class Corpus:
    """A corpus with random access to its samples.

    Attributes
    ----------
    folder : Path
    recordings : pandas.DataFrame
        One row per recording, columns as in ``RECORDING_COLUMNS``, index 0, 1, 2, ...
    manifest : Manifest

    Examples
    --------
    >>> import tempfile
    >>> from training.corpus.build import build
    >>> from training.corpus.source import AudioFile, Source
    >>> import soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tone = Path(folder, "tone.wav")
    ...     soundfile.write(tone, np.full(22_050, 0.5), 22_050)
    ...     mine = Source("mine", files=(AudioFile(tone, "tone.wav", "tones", "CC0-1.0"),))
    ...     _ = build([mine], Path(folder, "corpus"))
    ...     corpus = Corpus.open(Path(folder, "corpus"))
    ...     corpus.samples(0, start=11_025, n=2), round(corpus.hours * 3600, 3)
    (array([0.5, 0.5], dtype=float32), 1.0)
    """

    def __init__(self, folder: Path, recordings: pandas.DataFrame, manifest: Manifest) -> None:
        self.folder = folder
        self.recordings = recordings
        self.manifest = manifest
        self._starts = recordings["start_sample"].to_numpy()
        self._lengths = recordings["n_samples"].to_numpy()
        self._audio: NDArray[np.int16] = np.memmap(folder / AUDIO_FILE, dtype=SAMPLE_TYPE, mode="r")

    @classmethod
    def open(cls, folder: str | Path) -> Corpus:
        """Open a corpus.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If its files are inconsistent: columns are missing, the recordings are not contiguous,
            or do not fill the audio file.
        """
        import pandas

        folder = Path(folder)
        for name in (MANIFEST_FILE, TABLE_FILE, AUDIO_FILE):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{folder} is not a corpus: {name} is missing; build one with "
                    "python -m training corpus folder AUDIO --out CORPUS"
                )
        manifest = Manifest.read(folder / MANIFEST_FILE)
        recordings = pandas.read_parquet(folder / TABLE_FILE)
        if "label" not in recordings.columns:  # corpora from before labels existed
            recordings["label"] = ""
        if missing := set(RECORDING_COLUMNS) - set(recordings.columns):
            raise ValueError(
                f"{folder / TABLE_FILE} lacks the columns {', '.join(sorted(missing))}; rebuild "
                "the corpus"
            )
        ends = recordings["n_samples"].cumsum().to_numpy()
        starts = recordings["start_sample"].to_numpy()
        if len(ends) == 0 or starts[0] != 0 or not np.array_equal(starts[1:], ends[:-1]):
            raise ValueError(
                f"{folder / TABLE_FILE}: expected contiguous recordings from sample 0 "
                "on, found none or gaps; rebuild the corpus"
            )
        n_bytes = (folder / AUDIO_FILE).stat().st_size
        if n_bytes != ends[-1] * SAMPLE_TYPE.itemsize:
            raise ValueError(
                f"{folder / AUDIO_FILE} has {n_bytes} bytes where its table implies "
                f"{ends[-1] * SAMPLE_TYPE.itemsize}; copy again or rebuild the corpus"
            )
        return cls(folder, recordings, manifest)

    def __len__(self) -> int:
        """Number of recordings."""
        return len(self.recordings)

    @property
    def hours(self) -> float:
        """Total duration of all recordings in hours."""
        return len(self._audio) / SAMPLE_RATE / 3600

    def samples(self, i: int, start: int = 0, n: int | None = None) -> NDArray[np.float32]:
        """Samples `start` to ``start + n`` of recording `i`, or all from `start` on.

        Returns
        -------
        ndarray
            float32 ``(n,)`` within [-1, 1].

        Raises
        ------
        IndexError
            If there is no such recording, or it is shorter.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"expected a recording from 0 to {len(self) - 1}, got {i}")
        length = int(self._lengths[i])
        stop = length if n is None else start + n
        if not 0 <= start <= stop <= length:
            raise IndexError(
                f"recording {i} has {length} samples; got start {start} and n {n}, which do not "
                "lie within it"
            )
        first = int(self._starts[i])
        scaled: NDArray[np.float32] = np.array(
            self._audio[first + start : first + stop], dtype=np.float32
        )
        scaled /= INT16_SCALE
        return scaled


def corpus_sha256(corpus: Corpus) -> str:
    """SHA-256 of the concatenated hashes of a corpus's recordings: identifies all of its
    samples."""
    hashes = corpus.recordings["samples_sha256"]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def describe(corpus: Corpus) -> str:
    """Tables of hours and recordings, the largest first."""
    hours = corpus.recordings["n_samples"] / SAMPLE_RATE / 3600
    parts = [f"{corpus.hours:.2f} hours, {len(corpus)} recordings"]
    for column in ("kind", "licence", "source"):
        groups = hours.groupby(corpus.recordings[column]).agg(["sum", "count"])
        groups = groups.sort_values("sum", ascending=False)
        parts.append(f"\n{'hours':>8} {'recordings':>10}  {column}")
        parts += [
            f"{row['sum']:8.2f} {row['count']:10.0f}  {name}" for name, row in groups.iterrows()
        ]
    n_left_out = sum(len(source.left_out) for source in corpus.manifest.sources)
    n_duplicates = sum(source.n_duplicates for source in corpus.manifest.sources)
    parts.append(f"\n{n_duplicates} files occur twice, {n_left_out} were left out (manifest.json)")
    return "\n".join(parts)
