"""Matching of runs with their stimuli, by a pattern or a table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from pydantic import Field, field_validator, model_validator

from hear_brainsoundnet.sound_files import shown
from training.config import Settings
from training.data.findings import shortened
from training.sources.entities import joined
from training.sources.source import Recording
from training.sources.stimulus_folder import StimulusFolder
from training.sources.tables import read_table

# Friends and similar: s01e02a and s01e02b are the halves of episode s01e02 of season s01.
EPISODE = r"(?i)(?<![a-z0-9])(s\d+e\d+)"
SEASON = r"(?i)(?<![a-z0-9])(s\d+)e\d+"
KEYS = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}  # column: BIDS entity
COLUMNS = (*KEYS, "stimulus", "start", "episode", "season")


@dataclass(frozen=True)
class Stimulus:
    """Stimulus of a run; attributes as in :class:`training.data.prepared.Run`."""

    name: str
    path: Path
    episode: str
    season: str
    start: float | None = None


class StimulusMatch(Settings):
    """Rule for a run's stimulus: a table, or a pattern of its BIDS entities.

    Attributes
    ----------
    table : Path or None
        csv or tsv; see :class:`StimulusTable`.
    pattern : str or None
        Name of the stimulus, without suffix, with entities of the run in braces, such as
        ``"friends_{task}"``.
    episode, season : str or None
        Regular expressions; the first group of a search in the stimulus's name is the value. The
        defaults match names like ``s01e02a``; without a match, the episode is the stimulus itself
        and the season is empty.

    Examples
    --------
    >>> StimulusMatch(pattern="friends_{task}").name_for({"sub": "01", "task": "s01e02a"})
    'friends_s01e02a'
    >>> StimulusMatch(pattern="{task}").episode_of("friends_s01e02a")
    's01e02'
    """

    table: Path | None = None
    pattern: str | None = Field(None, min_length=1)
    episode: str | None = None
    season: str | None = None

    @field_validator("pattern")
    @classmethod
    def _plain_fields(cls, pattern: str | None) -> str | None:
        for _, field, form, conversion in Formatter().parse(pattern or ""):
            if field is not None and (not field.isidentifier() or form or conversion):
                raise ValueError(
                    "only entities in braces are possible, like {task}; no attribute, index or "
                    f"format as in {{{field}}}"
                )
        return pattern

    @field_validator("episode", "season")
    @classmethod
    def _with_group(cls, expression: str | None) -> str | None:
        if expression is not None:
            try:
                n_groups = re.compile(expression).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if n_groups == 0:
                raise ValueError(r"expected a group in round brackets, like (s\d+)")
        return expression

    @model_validator(mode="after")
    def _one_way(self) -> StimulusMatch:
        if (self.table is None) == (self.pattern is None):
            raise ValueError("give either table or pattern")
        return self

    def name_for(self, entities: Mapping[str, str]) -> str:
        """The pattern with the run's entities inserted.

        Raises
        ------
        ValueError
            If the run lacks an entity.
        """
        try:
            return (self.pattern or "").format_map(entities)
        except KeyError as error:
            raise ValueError(
                f"the pattern {self.pattern!r} needs {error}, which the run "
                f"{joined(entities)} does not have; it has {', '.join(entities)}"
            ) from error

    def episode_of(self, stimulus: str) -> str:
        """Episode: the unit of splits."""
        return first_group(self.episode or EPISODE, stimulus) or stimulus

    def season_of(self, stimulus: str) -> str:
        """The season, or empty."""
        return first_group(self.season or SEASON, stimulus)

    def assign(
        self, runs: Sequence[Mapping[str, str]], folder: StimulusFolder
    ) -> tuple[list[Stimulus | None], list[str]]:
        """Find the stimulus of each run.

        Parameters
        ----------
        runs : sequence of mapping
            BIDS entities of each run.
        folder : StimulusFolder
            The files.

        Returns
        -------
        stimuli : list of Stimulus or None
            One for each run; None if there is none.
        findings : list of str
            Runs without stimulus, rows of the table without run, expressions without a match.

        Raises
        ------
        ValueError
            If two rows of the table match one run, or a row names a missing file.
        """
        table = StimulusTable(self.table) if self.table is not None else None
        stimuli: list[Stimulus | None] = []
        without: dict[str, list[str]] = {}
        for entities in runs:
            row = table.row_for(entities) if table else None
            if table and row is None:
                without.setdefault(f"no row in {table.path}", []).append(joined(entities))
                stimuli.append(None)
                continue
            asked = row.stimulus if row else self.name_for(entities)
            path = folder.get(asked)
            if path is None and row is None:
                path = self._padded(entities, folder)
            if path is None and table and row:
                raise ValueError(
                    f"{table.path} line {row.line}: there is no stimulus {asked!r} in "
                    f"{folder.folder}"
                )
            if path is None:
                missing = f"no stimulus {asked!r} in {folder.folder}"
                without.setdefault(missing, []).append(joined(entities))
                stimuli.append(None)
                continue
            name = path.stem
            stimuli.append(
                Stimulus(
                    name,
                    path,
                    episode=(row and row.episode) or self.episode_of(name),
                    season=(row and row.season) or self.season_of(name),
                    start=row.start if row else None,
                )
            )
        findings = [f"left out, {why}: {', '.join(names)}" for why, names in without.items()]
        if table:
            findings += table.findings()
        return stimuli, findings + self._unfound(stimuli)

    def _padded(self, entities: Mapping[str, str], folder: StimulusFolder) -> Path | None:
        """The file that differs from the pattern only by leading zeros: run-1 and run-01."""
        for width in (1, 2, 3):
            padded = {
                key: f"{int(value):0{width}d}" if value.isdecimal() else value
                for key, value in entities.items()
            }
            if path := folder.get(self.name_for(padded)):
                return path
        return None

    def _unfound(self, stimuli: Sequence[Stimulus | None]) -> list[str]:
        names = sorted({stimulus.name for stimulus in stimuli if stimulus})
        findings = []
        for key, expression in (("episode", self.episode), ("season", self.season)):
            lost = [n for n in names if expression is not None and not first_group(expression, n)]
            if lost:
                findings.append(f"the expression {expression} finds no {key}: {', '.join(lost)}")
        return findings


def take_matched(
    stimuli: Sequence[Stimulus | None],
    make: Sequence[Callable[[Stimulus], Recording]],
    folder: StimulusFolder,
    findings: Sequence[str],
) -> tuple[list[Recording], dict[str, Path], list[str]]:
    """Recordings of the runs with a stimulus, their files, and findings.

    Raises
    ------
    ValueError
        If no run has a stimulus, or two files of one stimulus are used.
    """
    pairs = [(s, one) for s, one in zip(stimuli, make, strict=True) if s is not None]
    if not pairs:
        reasons = "; ".join(map(shortened, findings))
        raise ValueError(
            f"no run has a stimulus: {reasons}. {folder.folder} holds {shown(sorted(folder.files))}"
        )
    recordings = [one(stimulus) for stimulus, one in pairs]
    times: dict[tuple[str, str], list[str]] = {}
    for recording in recordings:
        times.setdefault((recording.subject, recording.stimulus), []).append(recording.run)
    repeats = [
        f"stimuli that played more than once to a subject, kept as repeats: {subject} {stimulus} "
        f"(in {', '.join(names)})"
        for (subject, stimulus), names in times.items()
        if len(names) > 1
    ]
    files = {stimulus.name: stimulus.path for stimulus, _ in pairs}
    return recordings, files, [*findings, *repeats, *folder.findings(files)]


def first_group(expression: str, text: str) -> str:
    """First group of the first match, or empty."""
    match = re.search(expression, text)
    return (match.group(1) or "") if match else ""


@dataclass(frozen=True)
class StimulusRow:
    """One row: the runs it applies to, and their stimulus."""

    line: int
    key: Mapping[str, str]
    stimulus: str
    start: float | None
    episode: str
    season: str

    def fits(self, entities: Mapping[str, str]) -> bool:
        return all(_plain(entities.get(entity, "")) == value for entity, value in self.key.items())


class StimulusTable:
    """A csv or tsv file with the columns ``stimulus`` and any of the following.

    ``subject``, ``session``, ``task``, ``run`` select the runs of a row: an empty cell matches all;
    a leading ``sub-`` or ``ses-`` and leading zeros are ignored. ``start`` is the time in seconds
    of the stimulus at TR 0. ``episode`` and ``season`` override those derived from the name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a column is unknown or missing, or a cell is wrong; the message gives the line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        columns, rows = read_table(path)
        if unknown := [column for column in columns if column not in COLUMNS]:
            raise ValueError(
                f"{path}: unknown column {', '.join(map(repr, unknown))}; possible are "
                f"{', '.join(COLUMNS)}"
            )
        if "stimulus" not in columns or not set(KEYS) & set(columns):
            raise ValueError(
                f"{path} has the columns {', '.join(columns)}; expected stimulus and at least one "
                f"of {', '.join(KEYS)}"
            )
        self.rows = [self._row(line, cells) for line, cells in rows.items()]
        self._used: set[int] = set()

    def row_for(self, entities: Mapping[str, str]) -> StimulusRow | None:
        """The row that matches a run.

        Raises
        ------
        ValueError
            If more than one does.
        """
        fitting = [row for row in self.rows if row.fits(entities)]
        self._used.update(row.line for row in fitting)
        if len(fitting) > 1:
            raise ValueError(
                f"{self.path}: lines {fitting[0].line} and {fitting[1].line} both match the run "
                f"{joined(entities)}; fill in more of {', '.join(KEYS)}"
            )
        return fitting[0] if fitting else None

    def findings(self) -> list[str]:
        """Rows that have matched no run so far."""
        lines = [str(row.line) for row in self.rows if row.line not in self._used]
        return [f"rows of {self.path} that match no run: lines {', '.join(lines)}"] if lines else []

    def _row(self, line: int, cells: Mapping[str, str]) -> StimulusRow:
        if not cells["stimulus"]:
            raise ValueError(f"{self.path} line {line}: the stimulus is empty")
        text = cells.get("start", "")
        try:
            start = float(text) if text else None
        except ValueError:
            start = math.nan
        if start is not None and not math.isfinite(start):
            raise ValueError(f"{self.path} line {line}: start {text!r} is not a number of seconds")
        key = {
            entity: _plain(cells[column].removeprefix(f"{entity}-"))
            for column, entity in KEYS.items()
            if cells.get(column)
        }
        stimulus, episode, season = (cells.get(c, "") for c in ("stimulus", "episode", "season"))
        return StimulusRow(line, key, stimulus, start, episode, season)


def _plain(value: str) -> str:
    return str(int(value)) if value.isdecimal() else value
