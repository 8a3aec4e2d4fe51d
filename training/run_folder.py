"""The folder of a run: its recipe, where it came from, its metrics and its last state.

    RUN/
        config.yaml       the validated recipe, defaults included
        origin.json       split, starting weights, git revision, versions
        metrics.csv       one row per epoch; epoch 0 is before any training
        state.pt          all that is needed to go on, and the best weights so far
        curves.png        losses and scores over epochs
        scores.csv        at the end: scores of the best weights, per run and target
        tensorboard/      event files, where TensorBoard is installed

Each file appears under its name only when it is whole; ``state.pt`` is read without unpickling
anything but tensors and plain values.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hear_brainsoundnet.files import write_atomically
from training.config import read_recipe, write_recipe
from training.recipe import FitRecipe

# What torch.load raises for damaged files, and what a foreign content leads to.
UNREADABLE = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError)
CONFIG_FILE = "config.yaml"
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class Epoch:
    """A row of ``metrics.csv``; scores are means over runs and targets."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_r: float
    validation_r2: float
    learning_rate: float


@dataclass
class State:
    """Where a run stands at the end of an epoch.

    Attributes
    ----------
    history : list of Epoch
        All epochs so far.
    best_epoch : int
        The epoch whose weights are kept.
    best, model : dict
        Weights then and now, by name.
    optimiser, schedule, scaler : dict
        Their states.
    finished : bool
        Whether the run has come to its end.
    """

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    model: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    finished: bool = False


class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path : path-like
        The folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def begin(self, recipe: FitRecipe, *, resume: bool) -> None:
        """Take possession of the folder for a recipe.

        Raises
        ------
        FileExistsError
            If there is a run already and `resume` is false, or something that is no run.
        ValueError
            If the run to resume had another recipe.
        """
        config = self.path / CONFIG_FILE
        if config.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.path} holds a run already; give --resume to go on with it, or another "
                    "--out"
                )
            self._refuse_other_recipe(recipe)
            return
        if self.path.exists() and any(self.path.iterdir()):
            raise FileExistsError(f"{self.path} is not empty and holds no run; give another --out")
        write_atomically(config, write_recipe(recipe).encode())

    def recipe(self) -> FitRecipe:
        """The recipe of the run."""
        if not (self.path / CONFIG_FILE).exists():
            raise FileNotFoundError(f"{self.path} holds no run (no {CONFIG_FILE})")
        return read_recipe(self.path / CONFIG_FILE, FitRecipe)

    def _refuse_other_recipe(self, recipe: FitRecipe) -> None:
        before = self.recipe().model_dump(mode="json")
        now = recipe.model_dump(mode="json")
        changed = sorted(key for key in now if now[key] != before[key])
        if changed:
            raise ValueError(
                f"{self.path} was begun with another recipe ({', '.join(changed)} differ); resume "
                "it with its own recipe, or give another --out"
            )

    def read_state(self) -> State | None:
        """The last state, or None before the first one was written.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        path = self.path / STATE_FILE
        if not path.exists():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            history = [Epoch(**row) for row in content.pop("history")]
            return State(history=history, **content)
        except (
            pickle.UnpicklingError,
            RuntimeError,
            OSError,
            EOFError,
            KeyError,
            TypeError,
        ) as error:
            raise ValueError(f"{path} is damaged; begin the run anew in another folder") from error

    def write_state(self, state: State) -> None:
        """Write the state and the metrics; the older ones stay until the new ones are whole."""
        content = dict(vars(state), history=[asdict(epoch) for epoch in state.history])
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomically(self.path / STATE_FILE, buffer.getvalue())
        self.write_table("metrics.csv", [asdict(epoch) for epoch in state.history])

    def write_table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """A csv file; floats with all their digits."""
        buffer = io.StringIO()
        if rows:
            writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        write_atomically(self.path / name, buffer.getvalue().encode())

    def write_document(self, name: str, document: Mapping[str, Any]) -> None:
        """A JSON file."""
        write_atomically(self.path / name, json.dumps(document, indent=2).encode())

    def read_document(self, name: str) -> dict[str, Any]:
        """A JSON file of the run."""
        path = self.path / name
        try:
            document: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} is missing; has the run begun?") from error
        except ValueError as error:
            raise ValueError(f"{path} is damaged") from error
        return document


def git_revision() -> str:
    """Revision of the checkout, with "+changes" where files differ from it; empty without git."""
    try:
        here = Path(__file__).parent
        revision = _git("rev-parse", "HEAD", folder=here)
        return revision + ("+changes" if _git("status", "--porcelain", folder=here) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str, folder: Path) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of the packages that decide a result."""
    from importlib.metadata import version

    return {
        name: version(name)
        for name in ("hear-brainsoundnet", "torch", "numpy", "accelerate", "himalaya")
    }
