"""Manifest of a corpus: its sources, tools and licences."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT_VERSION = 1


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
