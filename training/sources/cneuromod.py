"""Parcel time courses shared by CNeuroMod as h5 files (Friends, Movie10 and other films)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from training.config import added_setting
from training.sources.array_files import H5_SUFFIXES, State, list_h5, read_h5, state_of
from training.sources.cneuromod_layout import OF_A_RUN, RunKey, names_of, run_of
from training.sources.entities import Entities, EntityFilter, as_yaml, parse_entities
from training.sources.labels import LabelSettings
from training.sources.source import Collection, Recording, Targets
from training.sources.stimuli import (
    EPISODE,
    SEASON,
    Stimulus,
    StimulusMatch,
    first_group,
    take_matched,
)
from training.sources.stimulus_folder import StimulusFolder


@dataclass(frozen=True)
class Series:
    """One dataset of an h5 file: a run."""

    run: RunKey
    path: Path
    key: str
    n_targets: int
    n_trs: int
    state: State

    def stimulus(self, folder: StimulusFolder) -> Stimulus | None:
        """The stimulus: ``friends_s01e02a`` for ``s01e02a``, the same name for ``bourne01``."""
        found = (folder.get(name) for name in self.run.films())
        path = next((path for path in found if path is not None), None)
        if path is None:
            return None
        label = self.run.entities["task"]
        episode = first_group(EPISODE, label) or path.stem
        season = first_group(SEASON, label) or label.rstrip("0123456789")
        return Stimulus(path.stem, path, episode, season)

    def load(self) -> NDArray[np.float64]:
        """The responses, float64 ``(n_trs, n_targets)``.

        Raises
        ------
        ValueError
            If the file is damaged or has changed.
        """
        values = read_h5(self.path, self.key, self.state)
        if values.ndim != 2 or values.shape[1] != self.n_targets:
            raise ValueError(f"{self.path}: {self.key} has changed to shape {values.shape}")
        return values


class CneuromodSource(LabelSettings):
    """Parcel time courses of CNeuroMod and their stimuli.

    :mod:`training.sources.cneuromod_layout` documents the supported layouts of files and keys, and
    the names of films.

    Attributes
    ----------
    fmri : Path
        Folder of ``.h5`` or ``.hdf5`` files, searched recursively, such as
        ``sub-XX/func/sub-XX_task-friends_*_bold.h5`` of Algonauts 2025 or ``sub-XX_friends_*.h5``
        of CNeuroMod's own extractor; a dataset in them is a run, such as ``ses-003_task-s01e02a``.
    stimuli : Path
        Folder of the films, such as ``stimuli/movies``, searched recursively.
    match : StimulusMatch or None
        Stimulus of each run, if films have other names: a pattern of the entities sub, ses, task
        (the episode or film) and run, or a table.
    subjects : tuple of str
        ``"01"`` or ``"sub-01"``; all if empty.
    tasks : tuple of str
        CNeuroMod's datasets to use: "friends", "movie10", "ood", ...
    entities : mapping
        Selection among several files and runs, by the entities of the file's name and of the key;
        see :mod:`training.sources.entities`.
    tr : float
        Repetition time in seconds.
    labels : Path or None
        The image of the columns, for maps and names: its labels are 1 to n_targets.
    atlas : str
        Name of the atlas; by default that of the label image or of the first h5 file.
    """

    kind: Literal["cneuromod"]
    fmri: Path
    stimuli: Path
    match: StimulusMatch | None = added_setting(None)
    subjects: tuple[str, ...] = ()
    tasks: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        ("friends", "movie10"), min_length=1
    )
    entities: Entities = added_setting({})
    tr: float = Field(1.49, gt=0, lt=1000)

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Find the runs, their stimuli and the targets; each file is read once to verify it.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or inconsistent.
        """
        series, findings = self._find()
        targets, remarks = self._targets(series)
        folder = StimulusFolder(self.stimuli)
        stimuli, unmatched = self._assign(series, folder)
        make = [partial(self._recording, one) for one in series]
        recordings, files, findings = take_matched(stimuli, make, folder, [*findings, *unmatched])
        return Collection("time_series", targets, recordings, files, [*findings, *remarks])

    def _find(self) -> tuple[list[Series], list[str]]:
        """The selected runs, by subject, task and name, and what was left out."""
        if not self.fmri.is_dir():
            raise FileNotFoundError(f"no such folder of time courses: {self.fmri}")
        paths = [path for path in sorted(self.fmri.rglob("*")) if _is_h5(path)]
        if not paths:
            raise ValueError(
                f"{self.fmri} has no .h5 or .hdf5 file, such as sub-01/func/sub-01_task-"
                f"{'|'.join(self.tasks)}_*_bold.h5; give the folder that holds them"
            )
        found: list[Series] = []
        findings: list[str] = []
        others: dict[str, list[str]] = {}
        subjects: set[str] = set()
        for path in paths:
            subject, dataset = names_of(path, self.fmri)
            subjects |= {f"sub-{subject}"} if subject else set()
            if subject and self.subjects and f"sub-{subject}" not in self._wanted():
                continue  # its runs are not requested
            if dataset and dataset not in self.tasks:
                others.setdefault(f"of {dataset}, not listed in tasks", []).append(path.name)
                continue
            series, unknown = _read_keys(path, self.fmri)
            subjects |= {one.run.subject for one in series}
            if unknown:
                findings.append(
                    "left out, not of the form ses-001_task-s01e02a or task-life01_run-1: "
                    f"{path} ({', '.join(unknown)})"
                )
            for one in series:
                if reason := self._against(one.run):
                    others.setdefault(reason, []).append(f"{one.run.subject}_{one.run.name}")
                elif not self.subjects or one.run.subject in self._wanted():
                    found.append(one)
        findings += [
            f"left out, {why}: {', '.join(sorted(names))}" for why, names in others.items()
        ]
        if missing := sorted(self._wanted() - subjects):
            raise ValueError(
                f"{self.fmri} has no {', '.join(missing)}; it has {', '.join(sorted(subjects))}"
            )
        for subject in sorted(self._wanted() or subjects):
            known = {one.run.dataset for one in found if one.run.subject == subject}
            if "" not in known:
                findings += [f"{subject} has no {task}" for task in self.tasks if task not in known]
        if not found:
            raise ValueError(f"{self.fmri} has no run: {'; '.join(findings)}")
        _refuse_repeats(found)
        return sorted(found, key=self._place), findings

    def _wanted(self) -> set[str]:
        return {f"sub-{subject.removeprefix('sub-')}" for subject in self.subjects}

    def _place(self, one: Series) -> tuple[str, int, str]:
        task = self.tasks.index(one.run.dataset) if one.run.dataset else 0
        return one.run.subject, task, one.run.name

    def _against(self, run: RunKey) -> str:
        """Why a run is left out; empty if it is selected."""
        if run.dataset and run.dataset not in self.tasks:
            return f"of {run.dataset}, not listed in tasks"
        chosen = EntityFilter(self.entities)
        return "" if chosen.fits(run.entities) else f"not {chosen}"

    def _assign(
        self, series: Sequence[Series], folder: StimulusFolder
    ) -> tuple[list[Stimulus | None], list[str]]:
        if self.match is not None:
            keys = ("sub", *OF_A_RUN)
            runs = [
                {k: one.run.entities[k] for k in keys if k in one.run.entities} for one in series
            ]
            return self.match.assign(runs, folder)
        stimuli = [one.stimulus(folder) for one in series]
        without = [
            f"{one.run.subject}_{one.run.name}"
            for one, stimulus in zip(series, stimuli, strict=True)
            if stimulus is None
        ]
        if not without:
            return stimuli, []
        return stimuli, [
            f"left out, no stimulus in {folder.folder} (if films have other names, give "
            f"source.match.pattern or source.match.table): {', '.join(without)}"
        ]

    def _targets(self, series: Sequence[Series]) -> tuple[Targets, list[str]]:
        first = series[0]
        for one in series:
            if one.n_targets != first.n_targets:
                raise ValueError(
                    f"{one.path}: {one.key} has {one.n_targets} columns, but {first.key} of "
                    f"{first.path} has {first.n_targets}; keep files of one atlas, or choose them "
                    "with entities:"
                )
        ids = tuple(range(1, first.n_targets + 1))
        atlas = self.read_atlas()
        if atlas is None:
            entities = parse_entities(first.path.name)
            parts = (entities.get("atlas", ""), entities.get("parcel", ""))
            name = self.atlas or "_".join(part for part in parts if part)
            return Targets(ids, tuple(f"parcel {i}" for i in ids), name), []
        if atlas.targets.ids != ids:
            raise ValueError(
                f"{self.labels} has {len(atlas.targets.ids)} labels from {atlas.targets.ids[0]} to "
                f"{atlas.targets.ids[-1]}, but the {len(ids)} columns of {first.path} are labels "
                f"1 to {len(ids)}; give the atlas that they come from"
            )
        return atlas.targets, list(atlas.findings)

    def _recording(self, series: Series, stimulus: Stimulus) -> Recording:
        return Recording(
            subject=series.run.subject,
            run=series.run.name,
            stimulus=stimulus.name,
            load=series.load,
            tr=self.tr,
            start=stimulus.start or 0.0,
            session=series.run.entities.get("ses", ""),
            episode=stimulus.episode,
            season=stimulus.season,
            files=(series.path,),
            n_trs=series.n_trs,
        )


def _is_h5(path: Path) -> bool:
    return path.suffix.lower() in H5_SUFFIXES and not path.name.startswith(".")


def _read_keys(path: Path, root: Path) -> tuple[list[Series], list[str]]:
    """The runs in a file, and keys that are not runs."""
    series, unknown = [], []
    state = state_of(path)
    for table in list_h5(path):
        run = run_of(path, table.key, root)
        if run is None:
            unknown.append(table.key)
            continue
        shape = table.shape
        if shape is None or len(shape) != 2:
            raise ValueError(f"{path}: {table.key} has shape {shape}, expected (n_trs, n_targets)")
        if table.dtype == "other" or 0 in shape:
            raise ValueError(
                f"{path}: {table.key} holds {table.dtype} of shape {shape}, not numbers"
            )
        series.append(Series(run, path, table.key, shape[1], shape[0], state))
    return series, unknown


def _refuse_repeats(series: Sequence[Series]) -> None:
    """Reject a run that occurs in two files or twice in one."""
    first: dict[tuple[str, str, str], Series] = {}
    for one in series:
        other = first.setdefault((one.run.subject, one.run.dataset, one.run.name), one)
        if other is one:
            continue
        if other.path == one.path:
            raise ValueError(
                f"{one.path}: {other.key} and {one.key} are both the run {one.run.name}; keep one "
                "of them"
            )
        differing = {
            key: value
            for key, value in other.run.entities.items()
            if one.run.entities.get(key) != value
        }
        choice = f"choose with entities: {as_yaml(differing)} or " if differing else ""
        raise ValueError(
            f"2 files of {one.run.subject} for {one.run.dataset or one.run.name}: {other.path} and "
            f"{one.path}; {choice}keep one of them in this folder"
        )
