"""Results of a sweep: a row for each combination, and the best by validation."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.tables import csv_table, text_cell
from training.fitting.run_folder import MODEL_FILE, OUTCOME_FILE, RunFolder
from training.recipe_folder import CONFIG_FILE
from training.sweep.grid import Combination

# Scores compare between fits of the same responses: keys that choose these make groups.
RESPONSES = ("data", "subjects", "targets", "split", "control")
SCORES = ("validation_r2", "validation_r", "validation_loss")  # of the kept epoch
UNFINISHED = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """Result of one combination.

    Attributes
    ----------
    folder : Path
        Folder of the fit.
    combination : dict of str to str
        Its settings.
    state : str
        {"done", "failed", "queued", "unfinished"}.
    scores : tuple of float
        Those of :data:`SCORES`; NaN unless done.
    epoch, n_epochs : int or None
        Epoch that was kept, and number of epochs.
    seconds : float or None
        From the begin of the fit to its end, pauses included.
    reason : str
        Why it failed.
    """

    folder: Path
    combination: Combination
    state: str
    scores: tuple[float, ...] = UNFINISHED
    epoch: int | None = None
    n_epochs: int | None = None
    seconds: float | None = None
    reason: str = ""

    @property
    def r2(self) -> float:
        """R² on the validation runs, mean over runs and targets: what combinations compete in."""
        return self.scores[0]

    @property
    def group(self) -> Combination:
        """Settings that choose the responses."""
        return {
            key: value
            for key, value in self.combination.items()
            if key.partition(".")[0] in RESPONSES
        }


def is_done(fit: Path) -> bool:
    """Whether the fit in a folder is finished."""
    return (fit / MODEL_FILE).exists()


def read_rows(
    fits: Mapping[Path, Combination],
    reasons: Mapping[str, str] | None = None,
    queued: Collection[str] = (),
) -> list[Row]:
    """The rows of a sweep from the folders of its fits.

    Parameters
    ----------
    fits : mapping of Path to dict
        Folder and settings of each.
    reasons : mapping of str to str
        Reasons of failure by the names of folders.
    queued : collection of str
        Names of those that a cluster has in its queue.
    """
    rows = []
    for folder, combination in fits.items():
        failure = (reasons or {}).get(folder.name, "")
        if is_done(folder):
            rows.append(_done(folder, combination))
        elif folder.name in queued:
            rows.append(Row(folder, combination, "queued"))
        elif failure:
            rows.append(Row(folder, combination, "failed", reason=failure))
        else:
            rows.append(Row(folder, combination, "unfinished"))
    return rows


def _done(folder: Path, combination: Combination) -> Row:
    outcome = RunFolder(folder).read_document(OUTCOME_FILE)
    with (folder / "metrics.csv").open(newline="") as file:
        epochs = {int(row["epoch"]): row for row in csv.DictReader(file)}
    kept = epochs[outcome["kept_epoch"]]
    began, ended = ((folder / name).stat().st_mtime for name in (CONFIG_FILE, MODEL_FILE))
    return Row(
        folder,
        combination,
        "done",
        tuple(float(kept[name]) for name in SCORES),
        outcome["kept_epoch"],
        outcome["n_epochs"],
        ended - began,
    )


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """The row of highest validation R² in each group that has a finished fit."""
    best: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if math.isfinite(row.r2):
            key = tuple(row.group.values())
            best[key] = max(best.get(key, row), row, key=lambda each: each.r2)
    return list(best.values())


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write ``sweep.csv``; best is 1 for the best row of each group."""
    keys = list(rows[0].combination)
    best = best_rows(rows)
    header = ["fit", *keys, "state", "best", *SCORES, "epoch", "n_epochs", "seconds", "reason"]
    cells = [
        (
            row.folder.name,
            *(text_cell(row.combination[key]) for key in keys),
            row.state,
            int(row in best),
            *(None if math.isnan(score) else score for score in row.scores),
            row.epoch,
            row.n_epochs,
            None if row.seconds is None else f"{row.seconds:.1f}",
            text_cell(row.reason),
        )
        for row in rows
    ]
    write_atomically(path, csv_table(header, cells))
