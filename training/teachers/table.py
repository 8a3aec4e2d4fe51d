"""Table on disk: a teacher's embeddings of every recording of a corpus.

::

    TABLE/
        frames.f16        little-endian float16 (n_frames, size): embeddings, recording by recording
        times.f64         little-endian float64: their centres, seconds from the recording's start
        offsets.npy       int64 (n_recordings + 1): first frame of each recording
        statistics.npy    float32 (2, size): mean and standard deviation over all frames
        table.json        provenance; written when the table is complete

The files are memory-mapped: a look-up reads only the pages it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from training.corpus.corpus import SAMPLE_RATE, Corpus, corpus_sha256
from training.teachers.teacher import TeacherIdentity

FRAMES_FILE, FRAME_TYPE = "frames.f16", np.dtype("<f2")
TIMES_FILE, TIME_TYPE = "times.f64", np.dtype("<f8")
OFFSETS_FILE = "offsets.npy"
STATISTICS_FILE = "statistics.npy"
INFO_FILE = "table.json"
# While it is built: its provenance, and the number of finished frames.
BEGUN_FILE = "begun.json"
COUNTS_FILE, COUNT_TYPE = "counts.i64", np.dtype("<i8")

SMALLEST_STD = 1e-6  # below it a unit counts as constant
Statistic = Literal["mean", "std", "max"]
FORMAT_VERSION = 1


class TeacherTable:
    """Embeddings indexed by recording and time.

    Attributes
    ----------
    info : TableInfo
    size : int
        Size of an embedding.
    n_frames : ndarray
        int64, for each recording of the corpus; 0 if it was not embedded.
    mean, std : ndarray
        float32 ``(size,)``, over all frames of the table.
    """

    def __init__(self, folder: str | Path) -> None:
        """Open a table.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is not complete.
        """
        self.folder = folder = Path(folder)
        if not (folder / INFO_FILE).is_file():
            if (folder / BEGUN_FILE).is_file():
                raise ValueError(
                    f"the table {folder} is not complete yet; the command that started it resumes"
                )
            raise FileNotFoundError(
                f"{folder} is not a table of embeddings ({INFO_FILE} is missing); make one with "
                "python -m training teach CORPUS MODULE --out TABLE"
            )
        self.info = TableInfo.read(folder / INFO_FILE)
        self.size = self.info.size
        try:
            self._offsets = np.load(folder / OFFSETS_FILE)
            self.mean, self.std = np.load(folder / STATISTICS_FILE)
            n_frames = int(self._offsets[-1])
            frames = np.memmap(folder / FRAMES_FILE, FRAME_TYPE, "r")
            self._frames = frames.reshape(n_frames, self.size)
            times = np.memmap(folder / TIMES_FILE, TIME_TYPE, "r")
            self._times = times.reshape(n_frames)
        except (OSError, ValueError, IndexError, TypeError, EOFError) as error:
            raise ValueError(
                f"the table {folder} is damaged ({error}); copy it again, or remove and rebuild it"
            ) from error
        self.n_frames: NDArray[np.int64] = np.diff(self._offsets)
        self._scale = np.where(self.std > SMALLEST_STD, self.std, np.inf).astype(np.float32)

    @classmethod
    def of_corpus(cls, folder: str | Path, corpus: Corpus) -> TeacherTable:
        """Open a table that must be of `corpus`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no complete table, or it is of another corpus.
        """
        table = cls(folder)
        expected = table.info.model_copy(update={"corpus_sha256": corpus_sha256(corpus)})
        expected.refuse_others(table.info, f"the table {folder}")
        return table

    def frames(
        self, recording: int, start: float, stop: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Embeddings of a recording with times in ``start <= time < stop``.

        Parameters
        ----------
        recording : int
        start, stop : float
            In seconds.

        Returns
        -------
        frames : ndarray
            float32 ``(n, size)``, each unit with mean 0 and standard deviation 1 over the table;
            a unit that is constant over the table is 0.
        times : ndarray
            float64 ``(n,)``, in seconds from the start of the recording.

        Raises
        ------
        IndexError
            If there is no such recording.
        """
        if not 0 <= recording < len(self.n_frames):
            raise IndexError(
                f"expected a recording from 0 to {len(self.n_frames) - 1}, got {recording}"
            )
        first, last = self._offsets[recording : recording + 2]
        begin, end = first + np.searchsorted(self._times[first:last], (start, stop))
        frames = self._frames[begin:end].astype(np.float32)
        return (frames - self.mean) / self._scale, np.array(self._times[begin:end])

    def summary(
        self,
        recording: int,
        start: float,
        stop: float,
        statistics: Sequence[Statistic] = ("mean",),
    ) -> NDArray[np.float32] | None:
        """Concatenated statistics over the frames of :meth:`frames`.

        Returns
        -------
        ndarray or None
            float32 ``(len(statistics) * size,)``; None if there are no frames.
        """
        frames, _ = self.frames(recording, start, stop)
        if len(frames) == 0:
            return None
        of: dict[Statistic, NDArray[np.float32]] = {
            "mean": frames.mean(axis=0),
            "std": frames.std(axis=0),
            "max": frames.max(axis=0),
        }
        return np.concatenate([of[each] for each in statistics])


class TableInfo(BaseModel):
    """Everything that the frames of a table depend on.

    Attributes
    ----------
    format_version : int
    teacher : TeacherIdentity
    size : int
        Size of an embedding.
    scene_seconds : float or None
        Duration of each scene embedding; None for timestamp embeddings.
    corpus_sha256 : str
        Hash of the recordings, see :func:`training.corpus.corpus.corpus_sha256`.
    kinds : tuple of str
        Kinds of recordings embedded, sorted; empty for all.
    shortest : float
        Minimal duration of recordings in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format_version: int = FORMAT_VERSION
    teacher: TeacherIdentity
    size: int
    scene_seconds: float | None = None
    corpus_sha256: str
    kinds: tuple[str, ...] = ()
    shortest: float = 0.0

    @classmethod
    def read(cls, path: Path) -> TableInfo:
        """Read the provenance of a table.

        Raises
        ------
        ValueError
            If the file is damaged, or of another format version.
        """
        try:
            info = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{path} is damaged; remove {path.parent} and rebuild it") from error
        if info.format_version != FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {info.format_version}, expected {FORMAT_VERSION}; "
                f"remove {path.parent} and rebuild it"
            )
        return info

    def refuse_others(
        self,
        other: TableInfo,
        place: str,
        remedy: str = "build a table in another folder, or remove this one",
    ) -> None:
        """Check that `other`, found at `place`, is the same.

        Raises
        ------
        ValueError
            Names the difference.
        """
        mine, found = (each.model_dump() for each in (self, other))
        for document in (mine, found):
            document.update(document.pop("teacher"))
        for key, name in _NAMES.items():
            if mine[key] != found[key]:
                raise ValueError(
                    f"{place} belongs to another {name}: expected {_short(mine[key])}, found "
                    f"{_short(found[key])}; {remedy}"
                )

    def taken(self, corpus: Corpus) -> NDArray[np.bool_]:
        """Which recordings of the corpus are embedded."""
        table = corpus.recordings
        taken = (table["n_samples"] >= self.shortest * SAMPLE_RATE).to_numpy()
        if self.kinds:
            taken = taken & table["kind"].isin(self.kinds).to_numpy()
        return np.asarray(taken, dtype=bool)


# Descriptions of the fields, for messages.
_NAMES = {
    "corpus_sha256": "corpus",
    "module": "teacher",
    "version": "version of the teacher",
    "checkpoint_sha256": "checkpoint of the teacher",
    "size": "size of embeddings",
    "scene_seconds": "length of scenes",
    "kinds": "choice of kinds",
    "shortest": "choice of lengths",
}


def _short(value: object) -> str:
    if isinstance(value, str):
        return value[:48] or "none"
    return ", ".join(value) or "all" if isinstance(value, tuple) else str(value)
