"""Table of the stimuli of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.sources.tables import read_table

KEYS = {"subject": "sub", "session": "ses", "task": "task", "run": "run"}  # column: BIDS entity
COLUMNS = (*KEYS, "stimulus", "start", "episode", "season")


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
            name = "_".join(f"{key}-{value}" for key, value in entities.items())
            raise ValueError(
                f"{self.path}: lines {fitting[0].line} and {fitting[1].line} both match the run "
                f"{name}; fill in more of {', '.join(KEYS)}"
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
