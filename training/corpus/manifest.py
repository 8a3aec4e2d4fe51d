"""The manifest of a corpus: what it was made from, by what, and under which licences."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

FORMAT_VERSION = 1


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeftOut(_Entry):
    """A file that is not in the corpus, and why."""

    file: str
    reason: str


class SourceEntry(_Entry):
    """One source of a corpus.

    Attributes
    ----------
    name : str
        Of the package, folder or synthesiser.
    version : str
        Of the package; empty for a folder.
    sha256 : str
        Of the ``.deb`` file; empty where there is none.
    licences : list of str
        Of what was taken.
    kinds : dict
        Hours by kind.
    hours : float
    n_recordings : int
    n_duplicates : int
        Files whose samples are in the corpus already; kept once.
    made_with : dict
        Of synthesised sound: tools with their versions, seed, and other settings.
    left_out : list of LeftOut
        Files that hold sound and were not taken.
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
    """Of a whole corpus.

    Attributes
    ----------
    format_version : int
    sample_rate : int
        In Hz.
    conversion : str
        How files became samples.
    hours : float
    n_held_out_sounds : int
        Evaluation sounds that it was compared with when it was built; 0: with none.
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
            If it is not one, or of another format version.
        """
        try:
            manifest = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ValueError(
                f"{path} is no manifest of a corpus ({where}: {first['msg']}); build it again"
            ) from error
        if manifest.format_version != FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {manifest.format_version}, expected {FORMAT_VERSION}; "
                "build the corpus again"
            )
        return manifest
