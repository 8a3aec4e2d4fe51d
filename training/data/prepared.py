"""Prepared dataset on disk: the common format of all sources, input of all fits.

    prepared/NAME/
        dataset.json            DatasetInfo: TR, targets, audio rate, checksums of all files
        audio/STIMULUS.npy      int16 mono at `sample_rate`, memory-mapped when read
        bold/SUBJECT.h5         one dataset per run, float32 (n_trs, n_targets), z-scored per run,
                                memory-mapped when read;
                                its attributes are the fields of :class:`Run`
        targets.nii.gz          where there is one: an image whose values are target ids; of
                                targets on the cortical surface targets.dscalar.nii
        summary.html            what was found, for people

Columns are target ids in ascending order; a target missing in a subject is a column of NaN. There
are two kinds of data:

- ``"time_series"``: a run is one recording while a stimulus played, `start` is the onset of its
  TR 0 in seconds of the stimulus;
- ``"sound_responses"``: one response per sound and target. A run is then one sound with a single
  row, z-scored over the sounds of its subject, and `tr` is 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset_info import INFO_FILE, DatasetInfo, read_info
from training.data.prepared_files import AGAIN, image_in, verify
from training.data.prepared_tables import Place, one_line, place_of, read_table, read_tables

INT16_SCALE = 32_768  # int16 audio divided by this lies within [-1, 1]


@dataclass(frozen=True)
class Run:
    """One run of one subject.

    Attributes
    ----------
    subject, name : str
        Subject, and name of the run, unique within the subject.
    stimulus : str
        Name of the prepared audio.
    session : str
        Scanning session, or empty.
    episode : str
        Unit of splitting: the halves of one episode share it. By default the stimulus.
    season : str
        Unit of season-wise splits, or empty.
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


class Prepared:
    """A prepared dataset, opened for reading; data are loaded on demand.

    Parameters
    ----------
    folder : path-like
        The folder that holds ``dataset.json``.

    Attributes
    ----------
    info : DatasetInfo
        Metadata of the dataset.
    runs : list of Run
        All runs, by subject and then in the order written.

    Raises
    ------
    FileNotFoundError
        If there is no dataset, or its preparation is unfinished.
    ValueError
        If a file is damaged or inconsistent with the others.

    Examples
    --------
    >>> prepared = Prepared("prepared/friends")  # doctest: +SKIP
    >>> prepared.bold(prepared.runs[0]).shape  # doctest: +SKIP
    (482, 210)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.info = read_info(self.folder)
        self._places: dict[tuple[Path, str], Place | None] = {}
        paths = self._tables()
        self.runs: list[Run] = []
        for path in paths:
            self.runs.extend(_read_runs(path, self.info))
        if not self.runs:
            raise ValueError(f"{self.folder} has no runs in its folder bold; prepare it again")

    def _tables(self) -> list[Path]:
        """The files of all subjects, each verified before HDF5 opens it."""
        found = {path for path in (self.folder / "bold").glob("*.h5") if path.name[0] != "."}
        listed = (name for name in self.info.files if name.startswith("bold/"))
        paths = sorted(found | {self.folder / name for name in listed})
        for path in paths:
            self._verify(path)
        return paths

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, ascending."""
        return sorted({run.subject for run in self.runs})

    @property
    def n_targets(self) -> int:
        return len(self.info.target_ids)

    def doubts(self, runs: Iterable[Run]) -> list[str]:
        """Findings of the preparation about some of these runs, one sentence each."""
        chosen = {(run.subject, run.name) for run in runs}
        doubtful = [each for each in self.info.out_of_step if (each.subject, each.run) in chosen]
        if not doubtful:
            return []
        return [
            f"in {len(doubtful)} of {len(chosen)} runs sound and responses are out of step: "
            f"{', '.join(each.in_words() for each in doubtful)}; see {self.folder}/summary.html, "
            "then correct their stimulus or start, or exclude them, and prepare again"
        ]

    def bold(self, run: Run) -> NDArray[np.float32]:
        """The responses of a run, float32 ``(n_trs, n_targets)``, memory-mapped, read-only.

        Every call maps the file again, so that what was read leaves memory with the array.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged, or has no such run.
        """
        path = bold_file(self.folder, run.subject)
        self._verify(path)
        try:
            if (path, run.name) not in self._places:
                self._places[path, run.name] = place_of(path, run.name)
            place = self._places[path, run.name]
            if place is None:
                return read_table(path, run.name)
            return np.asarray(np.memmap(path, np.float32, "r", place.offset, place.shape))
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}: run {run.name} cannot be read ({error})") from error

    def audio(self, stimulus: str) -> NDArray[np.int16]:
        """Audio of a stimulus, int16 ``(n_samples,)``, memory-mapped.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged.
        """
        path = audio_file(self.folder, stimulus)
        self._verify(path)
        try:
            audio = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} is missing; {AGAIN}") from error
        except Exception as error:  # numpy raises many kinds for damaged headers
            raise ValueError(f"{path} is damaged ({one_line(error)}); {AGAIN}") from error
        if audio.dtype != np.int16 or audio.ndim != 1 or len(audio) == 0:
            raise ValueError(
                f"{path} holds {audio.dtype} of shape {audio.shape}, expected int16 (n_samples,)"
            )
        return audio

    def _verify(self, path: Path) -> None:
        verify(self.folder, path, self.info.files)


def targets_image(folder: Path) -> Path | None:
    """The image whose values are the target ids of a dataset, if it has one, verified.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    path = image_in(folder)
    if path is not None and (folder / INFO_FILE).is_file():
        verify(folder, path, read_info(folder).files)
    return path


def audio_file(folder: Path, stimulus: str) -> Path:
    """Path of the audio of a stimulus."""
    return folder / "audio" / f"{stimulus}.npy"


def bold_file(folder: Path, subject: str) -> Path:
    """Path of the runs of a subject."""
    return folder / "bold" / f"{subject}.h5"


def _read_runs(path: Path, info: DatasetInfo) -> list[Run]:
    n_targets = len(info.target_ids)
    try:
        tables = read_tables(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); {AGAIN}") from error
    runs = []
    for table in tables:
        where = f"{path}: run {table.name}"
        run = Run(path.stem, table.name, **table.attributes, n_trs=table.shape[0])
        if table.shape[1] != n_targets or run.n_trs == 0:
            raise ValueError(f"{where} has shape {table.shape}, expected (n_trs, {n_targets})")
        if run.tr != info.tr:
            raise ValueError(f"{where} has a TR of {run.tr} s, not {info.tr} s")
        if fault := fault_of_name(run.stimulus):
            raise ValueError(f"{where}: the stimulus {run.stimulus!r} {fault}; {AGAIN}")
        if not math.isfinite(run.start):
            raise ValueError(f"{where} starts at {run.start} s; {AGAIN}")
        runs.append(run)
    return runs


def fault_of_name(name: str) -> str:
    """Why a subject, run or stimulus name is not valid for a file; empty if it is.

    Examples
    --------
    >>> fault_of_name("film-1"), fault_of_name("../film-1")
    ('', 'starts with a dot or holds a slash')
    """
    if not name or not name.isprintable():
        return "is empty or holds characters that cannot be printed"
    if name.startswith(".") or "/" in name or "\\" in name:
        return "starts with a dot or holds a slash"
    if len(name.encode()) > 200:
        return "is longer than 200 bytes"
    return ""
