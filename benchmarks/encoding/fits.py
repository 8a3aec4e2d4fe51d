"""Training by the commands of ``python -m training``, recorded for the page, or in this process."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.cli import app
from training.commands.options import PROGRAM
from training.evaluation.folders import ComparisonInfo, read_info, read_table
from training.fitting.assembly import Parts, assemble
from training.fitting.fit import fit
from training.fitting.fit_folder import Epoch, FitFolder
from training.fitting.recipe import FitRecipe

EVERYBODY = "all"  # all subjects together, in the tables
N_SHOWN = 6
logger = logging.getLogger(__name__)


class Commands:
    """Runs commands in a work folder and records them, with symbolic folder names.

    Parameters
    ----------
    names : dict
        Symbolic names of folders in the record: ``{"DATA": Path(...), "WORK": Path(...)}``.
    """

    def __init__(self, names: dict[str, Path]) -> None:
        self.names = names
        self.done: list[str] = []

    def run(self, *arguments: object, makes: Path) -> Path:
        """Run ``python -m training ARGUMENTS``, unless its output exists.

        It runs in this process, to avoid loading the libraries for each of many commands.

        Raises
        ------
        ValueError, OSError
            Error of the command.
        """
        words = [str(argument) for argument in arguments]
        self.done.append(self.plain(shlex.join([*PROGRAM.split(), *words])))
        if makes.exists():
            return makes
        logger.info("%s", self.done[-1])
        app(words, prog_name=PROGRAM, standalone_mode=False)
        return makes

    def plain(self, text: str) -> str:
        """A text with symbolic folder names."""
        for name, folder in self.names.items():
            text = text.replace(str(folder), name)
        return text

    def shortened(self) -> list[str]:
        """The first and last recorded commands; those between are similar."""
        if len(self.done) <= 2 * N_SHOWN:
            return list(self.done)
        return [*self.done[:N_SHOWN], "...", *self.done[-N_SHOWN:]]


def comparison_rows(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of the tables of ``compare``, all subjects together where there are several."""
    rows = []
    for folder in folders:
        info, table = read_info(folder, ComparisonInfo), read_table(folder, "targets")
        if EVERYBODY in set(table.subject):
            table = table[table.subject == EVERYBODY]
        rows += [
            {
                "comparison": f"{info.a} - {info.b}",
                "target": row.target_name,
                "r difference": row.difference,
                "from": row.low,
                "to": row.high,
                "effect size": row.effect_size,
                "p": row.p,
                "p (BY)": row.p_by,
                "n": row.n_runs,
            }
            for row in table.itertuples()
        ]
    return rows


@dataclass(frozen=True)
class Fitted:
    """A finished fit."""

    recipe: FitRecipe
    folder: Path
    history: tuple[Epoch, ...]
    best_epoch: int

    def parts(self) -> Parts:
        """Data and model, with the selected weights."""
        parts = assemble(self.recipe)
        state = FitFolder(self.folder).read_state()
        assert state is not None
        parts.encoder.load_state_dict(state.best)
        return parts


def fitted(recipe: FitRecipe, folder: Path, *, progress: bool = False) -> Fitted:
    """Fit into a folder; a finished fit of the same recipe is reused."""
    fit(recipe, folder, resume=True, progress=progress)
    state = FitFolder(folder).read_state()
    assert state is not None
    return Fitted(recipe, folder, tuple(state.history), state.best_epoch)
