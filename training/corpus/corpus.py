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
from pydantic import BaseModel, ConfigDict, ValidationError

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
FORMAT_VERSION = 1


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


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeftOut(_Entry):
    """A file that was left out, and why."""

    file: str
    reason: str


class SourceEntry(_Entry):
    """One source of a corpus.

    Attributes
    ----------
    name : str
        Name of the package, folder or synthesiser.
    version : str
        Version of the package; empty for a folder.
    sha256 : str
        Hash of the ``.deb`` file; empty if there is none.
    licences : list of str
        Licences of the files used.
    kinds : dict
        Hours by kind.
    hours : float
    n_recordings : int
    n_duplicates : int
        Files whose samples are already in the corpus; kept once.
    made_with : dict
        For synthesised audio: tools with their versions, seed, and other settings.
    left_out : list of LeftOut
        Audio files that were not used.
    """

    name: str
    version: str = ""
    sha256: str = ""
    licences: list[str]
    kinds: dict[str, float]
    hours: float
    n_recordings: int
    n_duplicates: int = 0
    made_with: dict[str, str] = {}
    left_out: list[LeftOut] = []


class Manifest(_Entry):
    """Manifest of a corpus.

    Attributes
    ----------
    format_version : int
    sample_rate : int
        In Hz.
    conversion : str
        Conversion from files to samples.
    hours : float
    n_held_out_sounds : int
        Evaluation recordings that it was compared with when it was built; 0 for none.
    sources : list of SourceEntry
    """

    format_version: int = FORMAT_VERSION
    sample_rate: int
    conversion: str
    hours: float
    n_held_out_sounds: int = 0
    sources: list[SourceEntry]

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read ``manifest.json``.

        Raises
        ------
        ValueError
            If it is invalid, or of another format version.
        """
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ValueError(
                f"{path} is not a manifest of a corpus ({where}: {first['msg']}); rebuild it"
            ) from error
        if manifest.format_version != FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {manifest.format_version}, expected {FORMAT_VERSION}; "
                "rebuild the corpus"
            )
        return manifest
