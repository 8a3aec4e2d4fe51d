"""Building of a table: every recording is embedded once, with resumption.

Frames and times are appended to their files. Periodically, after syncing them to disk, the number
of frames of each recording is written; anything appended after it is truncated when a killed job
resumes. ``table.json`` is written only when the table is complete.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import sweep, write_atomically, writing
from hear_brainsoundnet.lock import contents, one_job_per_folder
from training.corpus.corpus import SAMPLE_RATE, Corpus, corpus_sha256
from training.progress import bar
from training.teachers.table import (
    BEGUN_FILE,
    COUNT_TYPE,
    COUNTS_FILE,
    FRAME_TYPE,
    FRAMES_FILE,
    INFO_FILE,
    OFFSETS_FILE,
    STATISTICS_FILE,
    TIME_TYPE,
    TIMES_FILE,
    TableInfo,
    TeacherTable,
)
from training.teachers.teacher import Frames, Teacher

SECONDS_BETWEEN_STATES = 15.0
STATISTICS_BLOCK = 2**14  # frames
PIECE_SECONDS = 60.0
MARGIN_SECONDS = 2.5  # more than half the receptive field of the included teachers


@one_job_per_folder()
def build_table(
    corpus: Corpus,
    teacher: Teacher,
    out: str | Path,
    *,
    kinds: Sequence[str] = (),
    shortest: float = 0.0,
    earlier: EarlierTable | None = None,
    progress: bool = False,
) -> TeacherTable:
    """Build the table of `corpus` and `teacher` in the folder `out`, resume it, or open it if
    complete.

    Parameters
    ----------
    corpus : Corpus
    teacher : Teacher
    out : path-like
    kinds : sequence of str
        Kinds of recordings; all by default.
    shortest : float
        Minimal duration of recordings in seconds.
    earlier : EarlierTable, optional
        Table of the same teacher over the first recordings of `corpus`: its frames are copied, and
        only the rest is embedded. The result is the same as without it.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        If `out` holds something other than a table.
    ValueError
        If `out` holds the table of another corpus or teacher, the corpus has no recording of a
        kind, `earlier` is not a prefix of the table, or the teacher fails.
    OSError
        If it cannot be written.
    """
    out = Path(out)
    info = TableInfo(
        teacher=teacher.identity,
        size=teacher.size,
        scene_seconds=teacher.scene_seconds,
        corpus_sha256=corpus_sha256(corpus),
        kinds=tuple(sorted(set(kinds))),
        shortest=shortest,
    )
    if unknown := set(kinds) - set(corpus.recordings["kind"]):
        known = ", ".join(sorted(set(corpus.recordings["kind"])))
        raise ValueError(f"the corpus has no {', '.join(sorted(unknown))}; its kinds are {known}")
    taken = info.taken(corpus)
    if not taken.any():
        raise ValueError(f"no recording of the corpus is {shortest:g} s long; take shorter ones")
    if earlier is not None:
        earlier.refuse_others(info, corpus)
    if (out / INFO_FILE).exists():
        table = TeacherTable(out)
        info.refuse_others(table.info, f"the table {out}")
        return table
    _begin(out, info)
    if earlier is not None:
        earlier.copy_to(out)
    counts = _write_frames(out, corpus, teacher, taken, progress)
    _finish(out, info, counts)
    return TeacherTable(out)


def _begin(out: Path, info: TableInfo) -> None:
    begun = out / BEGUN_FILE
    if begun.exists():
        info.refuse_others(TableInfo.read(begun), f"the table {out}, which is not complete yet,")
        sweep(out)
    elif contents(out):
        raise FileExistsError(f"{out} is not empty and holds no table; give another --out")
    else:
        write_atomically(begun, info.model_dump_json(indent=1).encode())


def _write_frames(
    out: Path, corpus: Corpus, teacher: Teacher, taken: NDArray[np.bool_], progress: bool
) -> NDArray[np.int64]:
    """Append what is missing; returns the number of frames of every recording."""
    seconds = corpus.recordings["n_samples"].to_numpy() / SAMPLE_RATE * taken
    with ExitStack() as stack:
        rows = stack.enter_context(_Rows(out, teacher.size))
        n_done = len(rows.counts)
        shown = stack.enter_context(
            bar(total=round(seconds.sum()), desc="embed", unit="s", shown=progress)
        )
        shown.update(round(seconds[:n_done].sum()))
        for recording in range(n_done, len(corpus)):
            if taken[recording]:
                for frames, times in embed_recording(teacher, corpus, recording):
                    rows.append(frames, times)
            rows.end_recording()
            shown.update(seconds[recording])
    return np.array(rows.counts, dtype=np.int64)


class _Rows:
    """The growing files: frames, times, and the counts of valid rows in both."""

    def __init__(self, out: Path, size: int) -> None:
        paths = [out / name for name in (FRAMES_FILE, TIMES_FILE, COUNTS_FILE)]
        for path in paths:
            path.touch()
        frame_bytes = size * FRAME_TYPE.itemsize
        n_counts = paths[2].stat().st_size // COUNT_TYPE.itemsize
        counts = np.fromfile(paths[2], COUNT_TYPE, n_counts)
        n_rows = min(
            paths[0].stat().st_size // frame_bytes, paths[1].stat().st_size // TIME_TYPE.itemsize
        )
        # After a power cut there may be fewer rows than counted.
        counts = counts[np.cumsum(counts) <= n_rows]
        self.counts: list[int] = counts.tolist()
        self._n_written = len(counts)
        self._frames, self._times, self._counts = (path.open("r+b") for path in paths)
        _cut(self._frames, sum(self.counts) * frame_bytes)
        _cut(self._times, sum(self.counts) * TIME_TYPE.itemsize)
        _cut(self._counts, len(counts) * COUNT_TYPE.itemsize)
        self._n_frames = 0
        self._written_at = time.monotonic()

    def append(self, frames: NDArray[np.float32], times: NDArray[np.float64]) -> None:
        """Append frames of the current recording."""
        self._frames.write(frames.astype(FRAME_TYPE).tobytes())
        self._times.write(times.astype(TIME_TYPE).tobytes())
        self._n_frames += len(frames)

    def end_recording(self) -> None:
        """Mark the current recording as complete."""
        self.counts.append(self._n_frames)
        self._n_frames = 0
        if time.monotonic() - self._written_at > SECONDS_BETWEEN_STATES:
            self._write_counts()

    def _write_counts(self) -> None:
        for file in (self._frames, self._times):
            file.flush()
            os.fsync(file.fileno())
        self._counts.write(np.array(self.counts[self._n_written :], COUNT_TYPE).tobytes())
        self._counts.flush()
        self._n_written = len(self.counts)
        self._written_at = time.monotonic()

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        """Complete recordings are kept, also after an error."""
        with self._frames, self._times, self._counts:
            self._write_counts()


def _cut(file: IO[bytes], n_bytes: int) -> None:
    file.truncate(n_bytes)
    file.seek(n_bytes)


def _finish(out: Path, info: TableInfo, counts: NDArray[np.int64]) -> None:
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n_frames = int(offsets[-1])
    if n_frames == 0:
        raise ValueError(f"{info.teacher.module} gave no embedding of any recording")
    frames = np.memmap(out / FRAMES_FILE, FRAME_TYPE, "r", shape=(n_frames, info.size))
    total, squares = np.zeros(info.size), np.zeros(info.size)
    for start in range(0, n_frames, STATISTICS_BLOCK):
        block = frames[start : start + STATISTICS_BLOCK].astype(np.float64)
        total += block.sum(axis=0)
        squares += np.square(block).sum(axis=0)
    mean = total / n_frames
    std = np.sqrt(np.maximum(squares / n_frames - mean**2, 0))
    statistics = np.stack([mean, std]).astype(np.float32)
    for name, array in ((OFFSETS_FILE, offsets), (STATISTICS_FILE, statistics)):
        with writing(out / name) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    write_atomically(out / INFO_FILE, info.model_dump_json(indent=1).encode())
    for name in (COUNTS_FILE, BEGUN_FILE):
        (out / name).unlink(missing_ok=True)


def embed_recording(teacher: Teacher, corpus: Corpus, recording: int) -> Iterator[Frames]:
    """Embeddings of a recording and their times in seconds, in chunks.

    Raises
    ------
    ValueError
        If the teacher fails; the message gives the number of the recording.
    """
    n_samples = int(corpus.recordings["n_samples"].iloc[recording])
    margin_seconds = max(MARGIN_SECONDS, (teacher.scene_seconds or 0) / 2)
    step, margin = (
        math.ceil(seconds / teacher.hop) * teacher.hop
        for seconds in (PIECE_SECONDS, margin_seconds)
    )
    duration = n_samples / SAMPLE_RATE
    n_pieces = max(1, math.ceil((duration - margin) / step))
    for i in range(n_pieces):
        begin = i * step if i > 0 else -math.inf
        end = (i + 1) * step if i + 1 < n_pieces else math.inf
        first = round(max(0.0, begin - margin) * SAMPLE_RATE)
        stop = round(min(duration, end + margin) * SAMPLE_RATE)
        try:
            frames, times = teacher.embed(corpus.samples(recording, first, stop - first))
        except ValueError as error:
            raise ValueError(f"recording {recording}, {duration:.1f} s long: {error}") from error
        times = times + first / SAMPLE_RATE
        # Half a sample of tolerance: times at a joint are sums with different rounding.
        shift = 0.5 / SAMPLE_RATE
        kept = (times >= begin - shift) & (times < end - shift)
        yield frames[kept], np.asarray(times[kept])


@dataclass(frozen=True)
class EarlierTable:
    """A complete table and its corpus.

    Attributes
    ----------
    table : TeacherTable
    corpus : Corpus
    """

    table: TeacherTable
    corpus: Corpus

    @classmethod
    def open(cls, folder: str | Path, corpus: Corpus) -> EarlierTable:
        """Open the table in `folder`, which must be of `corpus`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no complete table, or it is of another corpus.
        """
        return cls(TeacherTable.of_corpus(folder, corpus), corpus)

    def refuse_others(self, info: TableInfo, corpus: Corpus) -> None:
        """Check that the table `info` of `corpus` begins with this one.

        Raises
        ------
        ValueError
            If the teachers differ, the corpus begins with other recordings, or the selections of
            recordings differ.
        """
        mine = self.table.info
        # Kinds and lengths may differ if they select the same recordings; see below.
        same = {key: getattr(info, key) for key in ("corpus_sha256", "kinds", "shortest")}
        found = mine.model_copy(update=same)
        info.refuse_others(found, f"the earlier table {self.table.folder}", "leave --from out")
        n = len(self.corpus)
        hashes, wanted = (each.recordings["samples_sha256"] for each in (self.corpus, corpus))
        differ = np.flatnonzero(hashes.to_numpy()[: len(wanted)] != wanted.to_numpy()[:n])
        if n > len(wanted) or len(differ):
            where = f"recording {differ[0]} is another" if len(differ) else f"it has {len(wanted)}"
            raise ValueError(
                f"expected a corpus that begins with the {n} recordings of {self.corpus.folder}, "
                f"but {where}; leave --from out"
            )
        differ = np.flatnonzero(mine.taken(self.corpus) != info.taken(corpus)[:n])
        if len(differ):
            raise ValueError(
                f"the earlier table {self.table.folder} was made of other kinds or lengths "
                f"(recording {differ[0]} of {self.corpus.folder} is in one table only); choose the "
                "same --kind and --shortest, or leave --from out"
            )

    def copy_to(self, out: Path) -> None:
        """Start the table in `out` with the frames of this one, unless it already has more."""
        counts = out / COUNTS_FILE
        n_bytes = counts.stat().st_size if counts.exists() else 0
        if n_bytes >= len(self.corpus) * COUNT_TYPE.itemsize:
            return
        for name in (FRAMES_FILE, TIMES_FILE):
            with writing(out / name) as temporary:
                shutil.copyfile(self.table.folder / name, temporary)
        write_atomically(counts, self.table.n_frames.astype(COUNT_TYPE).tobytes())
