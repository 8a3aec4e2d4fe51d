"""Provenance of a table of embeddings; stored as JSON beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.teachers.identity import TeacherIdentity

FORMAT_VERSION = 1


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
