"""``dataset.json``: metadata and checksums of a prepared dataset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

FORMAT_VERSION = 1
INFO_FILE = "dataset.json"
CHECKSUM = "checksum"  # the key of dataset.json's own

TargetId = Annotated[int, Field(ge=-(2**31), lt=2**31)]  # as in label images


class FileState(BaseModel):
    """Size and checksum of a file; `checksum` has the algorithm as prefix:
    "blake2b-256:8928..."."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_bytes: int
    checksum: str


class SourceFile(FileState):
    """A source file of the dataset."""

    path: str


class OutOfStep(BaseModel):
    """A run whose responses are out of step with the sound.

    Attributes
    ----------
    subject, run : str
        Subject and run.
    lag : float
        Delay of the responses in seconds; negative if early.
    r : float
        Correlation with the expected response at that lag.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    run: str
    lag: float
    r: float

    def in_words(self) -> str:
        """Text for findings and messages."""
        return f"{self.subject}/{self.run} (lag {self.lag:+.1f} s, r {self.r:.2f})"


class DatasetInfo(BaseModel):
    """Metadata of a prepared dataset: the content of ``dataset.json``.

    Attributes
    ----------
    name : str
        Name of the dataset.
    kind : str
        {"time_series", "sound_responses"}.
    tr : float
        Repetition time in seconds; 0 for sound responses.
    sample_rate : int
        Rate of the prepared audio in Hz.
    atlas : str
        Name of the atlas of the ids, or empty.
    target_ids, target_names : tuple
        Ids in ascending order, the columns of every run; one name each.
    sources : tuple of SourceFile
        Source files of the dataset.
    findings : tuple of str
        Remarks and exclusions, one sentence per kind.
    out_of_step : tuple of OutOfStep
        Runs whose sound and responses seem out of step.
    files : dict of FileState
        The dataset's own files by their path in its folder.
    recipe : dict
        The validated recipe of the preparation.
    versions : dict
        Versions of the packages used.
    checksum : str
        Checksum of all the rest, see :func:`checksum_of_document`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = FORMAT_VERSION
    name: str
    kind: Literal["time_series", "sound_responses"]
    tr: Annotated[float, Field(ge=0, lt=1000)]
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)]
    atlas: str = ""
    target_ids: Annotated[tuple[TargetId, ...], Field(min_length=1)]
    target_names: tuple[str, ...]
    sources: tuple[SourceFile, ...] = ()
    findings: tuple[str, ...] = ()
    out_of_step: tuple[OutOfStep, ...] = ()
    files: dict[str, FileState] = {}
    recipe: dict[str, JsonValue] = {}
    versions: dict[str, str] = {}
    checksum: str = ""

    @model_validator(mode="after")
    def _columns_fit(self) -> DatasetInfo:
        if list(self.target_ids) != sorted(set(self.target_ids)):
            raise ValueError("target_ids must be ascending, each once")
        if len(self.target_names) != len(self.target_ids):
            raise ValueError(f"{len(self.target_names)} names for {len(self.target_ids)} targets")
        if (self.tr == 0) != (self.kind == "sound_responses"):
            raise ValueError(f"kind {self.kind} does not go with a TR of {self.tr} s")
        return self


def write_info(info: DatasetInfo) -> str:
    """The content of ``dataset.json``, with its checksum."""
    document = info.model_dump(mode="json")
    document[CHECKSUM] = checksum_of_document(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_info(folder: Path) -> DatasetInfo:
    """Read the ``dataset.json`` of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged or inconsistent.
    """
    path = folder / INFO_FILE
    if not path.exists():
        raise FileNotFoundError(
            f"{folder} is not a prepared dataset (no {INFO_FILE}), or its preparation did not come "
            "to an end; run python -m training prepare RECIPE (again)"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}, this program reads {FORMAT_VERSION}")
        claimed = document.get(CHECKSUM)
        is_changed = bool(claimed) and claimed != checksum_of_document(document)
        if not is_changed:
            return DatasetInfo.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: its {place} is wrong: {first['msg']}") from error
    except (AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable ({error}); prepare the dataset again") from error
    raise ValueError(
        f"{path} has changed since it was written: its content does not have its checksum; prepare "
        f"the dataset again, or, if the change is yours, take out the line with {CHECKSUM!r}"
    )


def checksum_of_document(document: dict[str, Any]) -> str:
    """BLAKE2b of a JSON document without its key ``checksum``, whatever its layout.

    Examples
    --------
    >>> checksum_of_document({"b": 1, "checksum": "x"}) == checksum_of_document({"b": 1})
    True
    """
    rest = {key: value for key, value in document.items() if key != CHECKSUM}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return f"blake2b-256:{hashlib.blake2b(text.encode(), digest_size=32).hexdigest()}"
