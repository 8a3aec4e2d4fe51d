"""Source of time courses in plain files: text, npy or npz of shape ``(n_trs, n_targets)``.

One long recording, a story for example, can be cut into segments. A segment is a separate run and
episode, so that splits by episode, which never cut a run, can hold out a part of the story.
Segments must be independent: between neighbours there is a gap for the delay of the haemodynamic
response and for the network's receptive field.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from training.config import Settings, added_setting
from training.sources.entities import Entities, EntityFilter, parse_entities
from training.sources.source import Collection, Recording, Targets
from training.sources.stimulus_folder import StimulusFolder
from training.sources.time_series_file import TimeSeriesFile, read_time_series

CLOSEST = 15.0  # seconds: 7 delays of about 1.5 s and conv7's receptive field of 4 s
GROUPS = ("subject", "run", "stimulus", "session", "episode", "season")


class RunFile(Settings):
    """One file; empty fields follow from the file's name and the source's settings.

    Attributes
    ----------
    file : Path
        The time courses.
    subject : str
        Subject name.
    run, stimulus, session, episode, season : str
        As in :class:`training.data.prepared.Run`; the run is named like its file by default.
    start : float, optional
        Onset of TR 0 in seconds of the stimulus.
    """

    file: Path
    subject: Annotated[str, Field(min_length=1)]
    run: str = ""
    stimulus: str = ""
    session: str = ""
    episode: str = ""
    season: str = ""
    start: float | None = None


class Segment(Settings):
    """An interval of the stimulus, from `start` to `stop` in seconds, that becomes a run."""

    name: Annotated[str, Field(min_length=1)]
    start: Annotated[float, Field(ge=0)]
    stop: float

    @model_validator(mode="after")
    def _has_a_length(self) -> Segment:
        if self.stop <= self.start:
            raise ValueError(f"segment {self.name!r} stops at {self.stop} s, not after its start")
        return self


class TimeSeriesSource(Settings):
    """Time courses in plain files.

    Attributes
    ----------
    tr : float
        Repetition time in seconds.
    stimuli : Path
        The only stimulus, or a folder of audio or video files; a stimulus is named like its file
        without the suffix.
    runs : tuple of RunFile
        Files, listed one by one.
    files, pattern : str
        Or many at once: a glob (``"6mm/*.txt"``), and a regular expression to search in each path,
        with the groups ``(?P<subject>...)`` and, as needed, ``run``, ``stimulus``, ``session``,
        ``episode``, ``season``.
    entities : mapping
        Selection among those files, by the entities of their names; see
        :mod:`training.sources.entities`.
    stimulus : str
        The stimulus of runs without one of their own; by default the run's name.
    start : float
        Onset of TR 0 in seconds of the stimulus.
    key : str
        Key of the array in npz files.
    target_names : tuple of str
        Names of the columns; by default from a header, or numbers.
    segments : tuple of Segment
        Segments of every recording. Each is a run with its own start; the name of the segment is
        its episode, for all subjects, so that it stays in one split. TRs outside all
        segments are left out. All segments share the audio of their stimulus.
    allow_close : bool
        Whether segments may be closer than 15 s, so that they are not independent.
    """

    kind: Literal["time_series"] = "time_series"
    tr: Annotated[float, Field(gt=0.1, lt=100)]
    stimuli: Path
    runs: tuple[RunFile, ...] = ()
    files: str = ""
    pattern: str = r"(?P<subject>sub-[A-Za-z0-9]+)"
    entities: Entities = added_setting({})
    stimulus: str = ""
    start: float = 0.0
    key: str = "X"
    target_names: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    allow_close: bool = False

    @field_validator("pattern")
    @classmethod
    def _names_the_subject(cls, pattern: str) -> str:
        try:
            groups = set(re.compile(pattern).groupindex)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from error
        if "subject" not in groups or groups - set(GROUPS):
            raise ValueError(
                f"expected the named group (?P<subject>...) and perhaps {', '.join(GROUPS[1:])}"
            )
        return pattern

    @model_validator(mode="after")
    def _segments_are_apart(self) -> TimeSeriesSource:
        if bool(self.runs) == bool(self.files):
            raise ValueError("give either runs (files one by one) or files (a glob)")
        if len({segment.name for segment in self.segments}) < len(self.segments):
            raise ValueError("two segments have the same name")
        for one, other in pairwise(sorted(self.segments, key=lambda segment: segment.start)):
            gap = other.start - one.stop
            if gap < 0:
                raise ValueError(f"segments {one.name!r} and {other.name!r} overlap")
            if gap < CLOSEST and not self.allow_close:
                raise ValueError(
                    f"segments {one.name!r} and {other.name!r} are {gap:g} s apart, expected "
                    f"{CLOSEST:g} s, so that they are independent; leave a longer gap, or set "
                    "allow_close: true if they will never be in different splits"
                )
        return self

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Find the runs; every file is read once to verify it.

        Raises
        ------
        FileNotFoundError
            If a file or the stimuli are not there.
        ValueError
            If files are inconsistent or cannot be read, a run is repeated, or nothing is left.
        """
        findings: list[str] = []
        folder = None if self.stimuli.is_file() else StimulusFolder(self.stimuli)
        stimuli: dict[str, Path] = {}
        recordings: list[Recording] = []
        first: tuple[Path, TimeSeriesFile] | None = None
        outside: Counter[tuple[int, int]] = Counter()
        for run in self.runs or self._matches(findings):
            series = read_time_series(run.file, self.key)
            stimulus = self._stimulus_of(run, folder)
            if stimulus is None:
                findings.append(f"left out, the stimulus is not in {self.stimuli}: {run.file}")
                continue
            if series.is_constant:
                findings.append(f"left out, the values never change: {run.file}")
                continue
            first = first or (run.file, series)
            _check_columns(run.file, series, *first)
            stimuli[stimulus.stem] = stimulus
            parts, n_outside = self._cut(run, stimulus.stem, len(series.values))
            recordings += parts
            outside[n_outside, len(series.values)] += 1
        if first is None:
            raise ValueError(
                f"no recording is left: {'; '.join(findings)}; check pattern, stimulus and stimuli"
            )
        refuse_repeats(recordings)
        findings += [
            f"{n_outside} of {n_trs} TRs are in no segment in {n} files"
            for (n_outside, n_trs), n in outside.items()
            if n_outside
        ]
        if folder is not None:
            findings += folder.findings(stimuli)
        return Collection("time_series", self._targets(first[1]), recordings, stimuli, findings)

    def _matches(self, findings: list[str]) -> list[RunFile]:
        paths = sorted(glob.glob(self.files, recursive=True))
        if not paths:
            raise FileNotFoundError(f"no file matches files: {self.files!r}")
        chosen = EntityFilter(self.entities)
        taken = [path for path in paths if chosen.fits(parse_entities(Path(path).name))]
        if not taken:
            raise ValueError(f"none of {len(paths)} files of {self.files!r} has {chosen}")
        paths = taken
        runs = []
        for path in paths:
            match = re.search(self.pattern, Path(path).as_posix())
            if match is None:
                findings.append(f"left out, not matched by the pattern {self.pattern!r}: {path}")
                continue
            named = {group: text or "" for group, text in match.groupdict().items()}
            runs.append(RunFile(file=Path(path), **named))
        return runs

    def _stimulus_of(self, run: RunFile, folder: StimulusFolder | None) -> Path | None:
        """The stimulus file of a run; the only file if `stimuli` is one."""
        if folder is None:
            return self.stimuli
        return folder.get(run.stimulus or self.stimulus or run.run or run.file.stem)

    def _cut(self, run: RunFile, stimulus: str, n_trs: int) -> tuple[list[Recording], int]:
        """One run, or one per segment; and the number of TRs outside all segments."""
        start = self.start if run.start is None else run.start
        name = run.run or run.file.stem
        load = partial(_load, run.file, self.key)

        def recording(
            name: str, episode: str, start: float, load: Callable[[], NDArray[np.float64]], n: int
        ) -> Recording:
            return Recording(
                subject=run.subject,
                run=name,
                stimulus=stimulus,
                load=load,
                tr=self.tr,
                start=start,
                session=run.session,
                episode=episode,
                season=run.season,
                files=(run.file,),
                n_trs=n,
            )

        if not self.segments:
            return [recording(name, run.episode or stimulus, start, load, n_trs)], 0
        onsets = start + np.arange(n_trs) * self.tr
        recordings, n_used = [], 0
        for segment in self.segments:
            slack = 1e-6 * self.tr  # a TR that ends with the segment belongs to it
            inside = (onsets >= segment.start - slack) & (onsets + self.tr <= segment.stop + slack)
            rows = np.flatnonzero(inside)
            if len(rows) == 0:
                raise ValueError(
                    f"{run.file} has no whole TR in segment {segment.name!r} ({segment.start:g} to "
                    f"{segment.stop:g} s): it lasts from {start:g} to {onsets[-1] + self.tr:g} s "
                    "of the stimulus"
                )
            n_used += len(rows)
            part = partial(_load, run.file, self.key, rows[0], rows[-1] + 1)
            onset = float(onsets[rows[0]])
            recordings.append(
                recording(f"{name}_{segment.name}", segment.name, onset, part, len(rows))
            )
        return recordings, n_trs - n_used

    def _targets(self, series: TimeSeriesFile) -> Targets:
        n_targets = series.values.shape[1]
        names = self.target_names or series.names
        names = names or tuple(f"target-{i + 1}" for i in range(n_targets))
        if len(names) != n_targets:
            raise ValueError(
                f"target_names has {len(names)} names, the files have {n_targets} columns"
            )
        return Targets(tuple(range(1, n_targets + 1)), tuple(names))


def _load(path: Path, key: str, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
    return read_time_series(path, key).values[start:stop]


def _check_columns(
    path: Path, series: TimeSeriesFile, first: Path, expected: TimeSeriesFile
) -> None:
    if series.values.shape[1] != expected.values.shape[1] or series.names != expected.names:
        raise ValueError(
            f"{path} has {series.values.shape[1]} columns {series.names or ''}, {first} has "
            f"{expected.values.shape[1]} {expected.names or ''}; all files of a dataset need the "
            "same targets"
        )


def refuse_repeats(recordings: list[Recording]) -> None:
    """Reject two recordings of one run of a subject."""
    seen: dict[tuple[str, str], Recording] = {}
    for recording in recordings:
        other = seen.setdefault((recording.subject, recording.run), recording)
        if other is not recording:
            raise ValueError(
                f"{other.files[0]} and {recording.files[0]} are both run {recording.run!r} of "
                f"{recording.subject}; let the pattern name the run, or give them by runs"
            )
