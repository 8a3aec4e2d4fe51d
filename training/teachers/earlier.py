"""Reuse of a table over the first recordings of a corpus."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hear_brainsoundnet.files import write_atomically, writing
from training.corpus.corpus import Corpus
from training.teachers.table import (
    COUNT_TYPE,
    COUNTS_FILE,
    FRAMES_FILE,
    TIMES_FILE,
    TeacherTable,
)
from training.teachers.table_info import TableInfo


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
