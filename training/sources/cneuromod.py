"""Parcel time courses that CNeuroMod shares as h5 files (Algonauts 2025: Friends and Movie10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hear_brainsoundnet.sound_files import shown
from training.config import Settings
from training.sources.entities import parse_entities
from training.sources.labels import read_labels
from training.sources.source import Collection, Recording, Targets
from training.sources.stimuli import (
    EPISODE,
    SEASON,
    Stimulus,
    first_group,
    take_matched,
)
from training.sources.stimulus_folder import StimulusFolder

KEY = re.compile(r"(ses-[A-Za-z0-9]+_)?task-[A-Za-z0-9]+(_run-[0-9]+)?")


@dataclass(frozen=True)
class Series:
    """One dataset of an h5 file: a run."""

    subject: str
    task: str
    path: Path
    key: str
    n_targets: int

    def stimulus(self, folder: StimulusFolder) -> Stimulus | None:
        """What played: ``s01e02a`` is the file ``friends_s01e02a``, ``bourne01`` is its own."""
        label = parse_entities(self.key)["task"]
        found = (folder.get(name) for name in (f"{self.task}_{label}", label))
        path = next((path for path in found if path is not None), None)
        if path is None:
            return None
        episode = first_group(EPISODE, label) or path.stem
        season = first_group(SEASON, label) or label.rstrip("0123456789")
        return Stimulus(path.stem, path, episode, season)

    def load(self) -> NDArray[np.float64]:
        """The responses, float64 ``(n_trs, n_targets)``.

        Raises
        ------
        ValueError
            If the file is damaged or no longer what it was.
        """
        with _opened(self.path) as file:
            values = np.asarray(file[self.key][()], dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_targets:
            raise ValueError(f"{self.path}: {self.key} has changed to shape {values.shape}")
        return values


class CneuromodSource(Settings):
    """Parcel time courses of CNeuroMod and the films that played.

    Attributes
    ----------
    fmri : Path
        Folder with ``sub-XX/func/sub-XX_task-friends_*_bold.h5`` and ``*_task-movie10_*_bold.h5``;
        a dataset in them is a run, such as ``ses-003_task-s01e02a``.
    stimuli : Path
        Folder of the films, such as ``stimuli/movies``, searched with all its subfolders.
    subjects : tuple of str
        ``"01"`` or ``"sub-01"``; all where empty.
    tasks : tuple of str
        Any of {"friends", "movie10"}.
    tr : float
        Repetition time in seconds.
    labels, label_table, id_column, name_column : Path and str or None
        The atlas that the columns come from, for maps and names: its labels are 1 to n_targets.
    atlas : str
        Name of the atlas; that of the label image or of the first h5 file where empty.
    """

    kind: Literal["cneuromod"]
    fmri: Path
    stimuli: Path
    subjects: tuple[str, ...] = ()
    tasks: tuple[Literal["friends", "movie10"], ...] = Field(("friends", "movie10"), min_length=1)
    tr: float = Field(1.49, gt=0, lt=1000)
    labels: Path | None = None
    label_table: Path | None = None
    id_column: str | None = None
    name_column: str | None = None
    atlas: str = ""

    @model_validator(mode="after")
    def _table_has_image(self) -> CneuromodSource:
        if self.label_table is not None and self.labels is None:
            raise ValueError("label_table names the parcels of labels, which is not given")
        return self

    def collect(self) -> Collection:
        """Find the runs, their stimuli and the targets; no time course is read.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or contradict each other.
        """
        paths, findings = self._find()
        series: list[Series] = []
        for subject, task, path in paths:
            found, unknown = _read_keys(subject, task, path)
            series += found
            if unknown:
                findings.append(
                    f"{path}: left out, not of the form ses-001_task-s01e02a or "
                    f"task-life01_run-1: {shown(unknown)}"
                )
        if not series:
            raise ValueError(f"{self.fmri} has no run: {'; '.join(findings) or 'files are empty'}")
        targets, said = self._targets(series)
        folder = StimulusFolder(self.stimuli)
        stimuli = [one.stimulus(folder) for one in series]
        without = [
            f"{one.subject}_{one.key}"
            for one, stimulus in zip(series, stimuli, strict=True)
            if stimulus is None
        ]
        if without:
            findings.append(f"left out, no stimulus in {folder.folder}: {shown(without)}")
        make = [partial(self._recording, one) for one in series]
        recordings, files, findings = take_matched(stimuli, make, folder, findings)
        return Collection("time_series", targets, recordings, files, [*findings, *said])

    def _find(self) -> tuple[list[tuple[str, str, Path]], list[str]]:
        if not self.fmri.is_dir():
            raise FileNotFoundError(f"no such folder of time courses: {self.fmri}")
        folders = {path.name: path for path in sorted(self.fmri.glob("sub-*")) if path.is_dir()}
        wanted = {f"sub-{subject.removeprefix('sub-')}" for subject in self.subjects}
        if missing := sorted(wanted - folders.keys()):
            raise ValueError(
                f"{self.fmri} has no {', '.join(missing)}; it has {', '.join(folders) or 'none'}"
            )
        paths: list[tuple[str, str, Path]] = []
        findings: list[str] = []
        for subject in sorted(wanted or folders):
            for task in self.tasks:
                pattern = f"func/{subject}_task-{task}_*bold.h5"
                found = sorted(folders[subject].glob(pattern))
                if len(found) > 1:
                    raise ValueError(
                        f"{len(found)} files of {subject} for {task}: {found[0]} and {found[1]}; "
                        "keep one of them in this folder"
                    )
                paths += [(subject, task, path) for path in found]
                if not found:
                    findings.append(f"{subject} has no {task} ({folders[subject]}/{pattern})")
        if not paths:
            raise ValueError(
                f"{self.fmri} has no sub-*/func/sub-*_task-{'|'.join(self.tasks)}_*bold.h5; give "
                "the folder fmri that holds them"
            )
        return paths, findings

    def _targets(self, series: list[Series]) -> tuple[Targets, list[str]]:
        first = series[0]
        for one in series:
            if one.n_targets != first.n_targets:
                raise ValueError(
                    f"{one.path}: {one.key} has {one.n_targets} columns, but {first.key} of "
                    f"{first.path} has {first.n_targets}; keep files of one atlas"
                )
        ids = tuple(range(1, first.n_targets + 1))
        if self.labels is None:
            entities = parse_entities(first.path.name)
            parts = (entities.get("atlas", ""), entities.get("parcel", ""))
            name = self.atlas or "_".join(part for part in parts if part)
            return Targets(ids, tuple(f"parcel {i}" for i in ids), name), []
        atlas = read_labels(
            self.labels, self.label_table, self.id_column, self.name_column, self.atlas
        )
        if atlas.targets.ids != ids:
            raise ValueError(
                f"{self.labels} has {len(atlas.targets.ids)} labels from {atlas.targets.ids[0]} to "
                f"{atlas.targets.ids[-1]}, but the {len(ids)} columns of {first.path} are labels "
                f"1 to {len(ids)}; give the atlas that they come from"
            )
        return atlas.targets, list(atlas.findings)

    def _recording(self, series: Series, stimulus: Stimulus) -> Recording:
        return Recording(
            subject=series.subject,
            run=series.key,
            stimulus=stimulus.name,
            load=series.load,
            tr=self.tr,
            session=parse_entities(series.key).get("ses", ""),
            episode=stimulus.episode,
            season=stimulus.season,
            files=(series.path,),
        )


def _read_keys(subject: str, task: str, path: Path) -> tuple[list[Series], list[str]]:
    """The runs in a file, and the keys that are none."""
    import h5py

    series, unknown = [], []
    with _opened(path) as file:
        for key in sorted(file):
            if KEY.fullmatch(key) is None:
                unknown.append(key)
                continue
            table = file[key]
            shape = getattr(table, "shape", None)
            if not isinstance(table, h5py.Dataset) or shape is None or len(shape) != 2:
                raise ValueError(f"{path}: {key} has shape {shape}, expected (n_trs, n_targets)")
            if table.dtype.kind not in "fiu" or 0 in shape:
                raise ValueError(f"{path}: {key} holds {table.dtype} of shape {shape}, not numbers")
            series.append(Series(subject, task, path, key, shape[1]))
    return series, unknown


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or cut off ({error}); fetch it anew") from error
