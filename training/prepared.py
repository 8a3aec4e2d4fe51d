"""The prepared dataset on disk: what every source becomes and every fit reads.

    prepared/NAME/
        dataset.json            DatasetInfo: TR, targets, audio rate, sources with checksums
        audio/STIMULUS.npy      int16 mono at `sample_rate`, memory-mapped when read
        bold/SUBJECT.h5         one dataset per run, float32 (n_trs, n_targets), z-scored per run;
                                its attributes are the fields of :class:`Run`
        targets.nii.gz          where there is one: an image whose values are target ids
        summary.html            what was found, for people

Columns are target ids in ascending order; a target that a subject lacks is a column of NaN. There
are two kinds of data:

- ``"time_series"``: a run is one recording while a stimulus played, `start` is the onset of its
  TR 0 in seconds of the stimulus;
- ``"sound_responses"``: one response per sound and target. A run is then one sound with a single
  row, z-scored over the sounds of its subject, and `tr` is 0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

FORMAT_VERSION = 1
INFO_FILE = "dataset.json"
TARGETS_IMAGE = "targets.nii.gz"
INT16_SCALE = 32_768  # int16 audio divided by this lies within [-1, 1]


class SourceFile(BaseModel):
    """A file that the dataset was made from; `checksum` tells its kind: "blake2b-256:8928..."."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    n_bytes: int
    checksum: str


class DatasetInfo(BaseModel):
    """What is known of a prepared dataset besides its numbers: the content of ``dataset.json``.

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
        Name of the atlas that the ids belong to, or empty.
    target_ids, target_names : tuple
        Ids in ascending order, the columns of every run; one name each.
    sources : tuple of SourceFile
        Files that the dataset was made from.
    findings : tuple of str
        What was noticed and left out, one sentence each.
    recipe : dict
        The validated recipe of the preparation.
    versions : dict
        Versions of the packages that had a part in it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = FORMAT_VERSION
    name: str
    kind: Literal["time_series", "sound_responses"]
    tr: Annotated[float, Field(ge=0, lt=1000)]
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)]
    atlas: str = ""
    target_ids: Annotated[tuple[int, ...], Field(min_length=1)]
    target_names: tuple[str, ...]
    sources: tuple[SourceFile, ...] = ()
    findings: tuple[str, ...] = ()
    recipe: dict[str, JsonValue] = {}
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _columns_fit(self) -> DatasetInfo:
        if list(self.target_ids) != sorted(set(self.target_ids)):
            raise ValueError("target_ids must be ascending, each once")
        if len(self.target_names) != len(self.target_ids):
            raise ValueError(f"{len(self.target_names)} names for {len(self.target_ids)} targets")
        if (self.tr == 0) != (self.kind == "sound_responses"):
            raise ValueError(f"kind {self.kind} does not go with a TR of {self.tr} s")
        return self


@dataclass(frozen=True)
class Run:
    """One run of one subject.

    Attributes
    ----------
    subject, name : str
        Who, and which run; names are unique within a subject.
    stimulus : str
        Name of the prepared audio.
    session : str
        Scanning session, or empty.
    episode : str
        What must stay on one side of every split: the halves of one episode share it. The
        stimulus where nothing else is known.
    season : str
        What whole seasons are held out by, or empty.
    start : float
        Onset of TR 0 in seconds of the stimulus.
    tr : float
        Repetition time in seconds.
    n_trs : int
        Number of rows.
    """

    subject: str
    name: str
    stimulus: str
    session: str
    episode: str
    season: str
    start: float
    tr: float
    n_trs: int


RUN_ATTRIBUTES = ("stimulus", "session", "episode", "season", "start", "tr")  # of the h5 datasets


class Prepared:
    """A prepared dataset, opened for reading; nothing is loaded before it is asked for.

    Parameters
    ----------
    folder : path-like
        The folder that holds ``dataset.json``.

    Attributes
    ----------
    info : DatasetInfo
        What is known of it.
    runs : list of Run
        All runs, by subject and then in the order in which they were written.

    Raises
    ------
    FileNotFoundError
        If there is no dataset, or its preparation did not come to an end.
    ValueError
        If a file is damaged or does not fit the others.

    Examples
    --------
    >>> prepared = Prepared("prepared/friends")  # doctest: +SKIP
    >>> prepared.bold(prepared.runs[0]).shape  # doctest: +SKIP
    (482, 210)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.info = _read_info(self.folder)
        self.runs: list[Run] = []
        for path in sorted((self.folder / "bold").glob("*.h5")):
            self.runs.extend(_read_runs(path, self.info))
        if not self.runs:
            raise ValueError(f"{self.folder} has no runs in its folder bold; prepare it anew")

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, ascending."""
        return sorted({run.subject for run in self.runs})

    @property
    def n_targets(self) -> int:
        return len(self.info.target_ids)

    def bold(self, run: Run) -> NDArray[np.float32]:
        """The responses of a run, float32 ``(n_trs, n_targets)``."""
        import h5py

        path = bold_file(self.folder, run.subject)
        try:
            with h5py.File(path, "r") as file:
                return np.asarray(file[run.name][()], dtype=np.float32)
        except (OSError, KeyError, RuntimeError) as error:
            raise ValueError(f"{path}: run {run.name} cannot be read ({error})") from error

    def audio(self, stimulus: str) -> NDArray[np.int16]:
        """The sound of a stimulus, int16 ``(n_samples,)``, memory-mapped."""
        path = audio_file(self.folder, stimulus)
        try:
            audio = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} is missing; prepare the dataset anew") from error
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{path} is damaged ({error}); prepare the dataset anew") from error
        if audio.dtype != np.int16 or audio.ndim != 1 or len(audio) == 0:
            raise ValueError(
                f"{path} holds {audio.dtype} of shape {audio.shape}, expected int16 (n_samples,)"
            )
        return audio


def audio_file(folder: Path, stimulus: str) -> Path:
    """Where the sound of a stimulus stands."""
    return folder / "audio" / f"{stimulus}.npy"


def bold_file(folder: Path, subject: str) -> Path:
    """Where the runs of a subject stand."""
    return folder / "bold" / f"{subject}.h5"


def _read_info(folder: Path) -> DatasetInfo:
    path = folder / INFO_FILE
    if not path.exists():
        raise FileNotFoundError(
            f"{folder} is not a prepared dataset (no {INFO_FILE}), or its preparation did not come "
            "to an end; run python -m training prepare RECIPE (again)"
        )
    try:
        document = json.loads(path.read_text())
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}, this program reads {FORMAT_VERSION}")
        return DatasetInfo.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: its {place} is wrong: {first['msg']}") from error
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not readable ({error}); prepare the dataset anew") from error


def _read_runs(path: Path, info: DatasetInfo) -> list[Run]:
    import h5py

    runs = []
    try:
        with h5py.File(path, "r", track_order=True) as file:
            for name, table in file.items():
                attributes = {key: table.attrs[key] for key in RUN_ATTRIBUTES}
                words = {key: str(attributes[key]) for key in RUN_ATTRIBUTES[:-2]}
                start, tr = float(attributes["start"]), float(attributes["tr"])
                if table.ndim != 2 or table.shape[1] != len(info.target_ids):
                    raise ValueError(
                        f"{path}: run {name} has shape {table.shape}, expected (n_trs, "
                        f"{len(info.target_ids)})"
                    )
                n_trs = int(table.shape[0])
                runs.append(Run(path.stem, name, **words, start=start, tr=tr, n_trs=n_trs))
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged ({error}); prepare the dataset anew") from error
    for run in runs:
        if run.tr != info.tr:
            raise ValueError(f"{path}: run {run.name} has a TR of {run.tr} s, not {info.tr} s")
    return runs
