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

from training.corpus.corpus import Corpus, corpus_sha256
from training.teachers.table_info import TableInfo

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
