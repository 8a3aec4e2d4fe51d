"""Results of a sweep: a row for each combination, the best by validation, and a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hear_brainsoundnet.files import csv_table, text_cell, write_atomically
from training.fitting.fit_folder import MODEL_FILE, OUTCOME_FILE, FitFolder
from training.recipe_folder import CONFIG_FILE
from training.sweep.grid import Combination, in_words

# Scores compare between fits of the same responses: keys that choose these make groups.
RESPONSES = ("data", "subjects", "targets", "split", "control")
SCORES = ("validation_r2", "validation_r", "validation_loss")  # of the kept epoch
NUMBERS = (*SCORES, "epoch", "n_epochs", "seconds")
MOST_PANELS = 4  # side by side
LONGEST = 14  # letters of a value under an axis


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
    numbers : dict of str to float
        :data:`NUMBERS` of a finished fit; seconds from its begin to its end, pauses included.
    reason : str
        Why it failed.
    """

    folder: Path
    combination: Combination
    state: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def r2(self) -> float:
        """R² of the validation runs, mean over runs and targets, by which rows compete, or NaN."""
        return self.numbers.get("validation_r2", math.nan)

    @property
    def group(self) -> Combination:
        """Settings that choose the responses."""
        pairs = self.combination.items()
        return {key: value for key, value in pairs if key.partition(".")[0] in RESPONSES}


def is_done(fit: Path) -> bool:
    """Whether the fit in a folder is finished."""
    return (fit / MODEL_FILE).exists()


def read_rows(
    fits: Mapping[Path, Combination],
    reasons: Mapping[str, str] | None = None,
    queued: Collection[str] = (),
) -> list[Row]:
    """The rows of a sweep from the folders of its fits.

    `reasons` of failures, and those `queued` on a cluster, are by the names of folders.
    """
    rows = []
    for folder, combination in fits.items():
        reason = (reasons or {}).get(folder.name, "")
        if is_done(folder):
            rows.append(Row(folder, combination, "done", _numbers(folder)))
        elif folder.name in queued:
            rows.append(Row(folder, combination, "queued"))
        else:
            state = "failed" if reason else "unfinished"
            rows.append(Row(folder, combination, state, reason=reason))
    return rows


def _numbers(folder: Path) -> dict[str, float]:
    outcome = FitFolder(folder).read_document(OUTCOME_FILE)
    with (folder / "metrics.csv").open(newline="") as file:
        kept = list(csv.DictReader(file))[outcome["kept_epoch"]]
    began, ended = ((folder / name).stat().st_mtime for name in (CONFIG_FILE, MODEL_FILE))
    scores = {name: float(kept[name]) for name in SCORES}
    epochs = {"epoch": outcome["kept_epoch"], "n_epochs": outcome["n_epochs"]}
    return {**scores, **epochs, "seconds": round(ended - began, 1)}


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
    best = best_rows(rows)
    header = ["fit", *rows[0].combination, "state", "best", *NUMBERS, "reason"]
    cells = [
        (
            row.folder.name,
            *map(text_cell, row.combination.values()),
            row.state,
            int(row in best),
            *map(row.numbers.get, NUMBERS),
            text_cell(row.reason),
        )
        for row in rows
    ]
    write_atomically(path, csv_table(header, cells))


def draw_sweep(rows: Sequence[Row]) -> bytes:
    """PNG with a panel for each key that has several values.

    Each dot is a finished fit; a line joins the best of each value, a star marks the best of all.
    Groups that predict other responses have colours of their own.
    """
    from matplotlib.figure import Figure

    groups = [row.group for row in best_rows(rows)] or [{}]
    varied = [key for key in rows[0].combination if len({row.combination[key] for row in rows}) > 1]
    keys = [key for key in varied if key not in rows[0].group] or varied or [""]
    n_columns = min(len(keys), MOST_PANELS)
    n_lines = math.ceil(len(keys) / n_columns)
    figure = Figure(figsize=(3.4 * n_columns + 0.6, 3.2 * n_lines + 0.4), layout="constrained")
    panels = figure.subplots(n_lines, n_columns, squeeze=False, sharey=True)
    for panel, key in zip(panels.flat, keys, strict=False):
        values = list(dict.fromkeys(row.combination.get(key, "") for row in rows))
        for number, group in enumerate(groups):
            points = [
                (values.index(row.combination.get(key, "")), row.r2)
                for row in rows
                if row.group == group and math.isfinite(row.r2)
            ]
            if not points:
                continue
            highest = dict(sorted(points))  # of equal values the last, hence the highest score
            star = max(points, key=lambda point: point[1])
            style = {"color": f"C{number}", "linewidths": 0}
            panel.scatter(*zip(*points, strict=True), s=16, alpha=0.5, **style)
            panel.scatter(*star, s=110, marker="*", zorder=3, **style)
            label = in_words(group) if group else None
            panel.plot(list(highest), list(highest.values()), color=f"C{number}", label=label)
        letters = [value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in values]
        panel.set_xticks(range(len(values)), letters)
        panel.set_xlim(-0.5, len(values) - 0.5)
        panel.set_xlabel(key)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels.flat[len(keys) :]:
        panel.set_visible(False)
    for first in panels[:, 0]:
        first.set_ylabel("validation R², mean\nover runs and targets")
    if groups != [{}]:
        entries = panels[0, 0].get_legend_handles_labels()
        figure.legend(*entries, loc="outside upper left", ncols=n_columns, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
