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

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from training.recipe import FitRecipe
from training.recipe_folder import RecipeFolder

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


class RunFolder(RecipeFolder[FitRecipe]):
    """The files of one fit.

    Parameters
    ----------
    path : path-like
        The folder.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, FitRecipe)

    def read_state(self) -> State | None:
        """The last state, or None before the first one was written.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        content = self.read_tensors(STATE_FILE)
        if content is None:
            return None
        try:
            history = [Epoch(**row) for row in content.pop("history")]
            return State(history=history, **content)
        except (KeyError, TypeError) as error:
            raise self.damaged(STATE_FILE) from error

    def write_state(self, state: State) -> None:
        """Write the state and the metrics; the older ones stay until the new ones are whole."""
        rows = [asdict(epoch) for epoch in state.history]
        self.write_tensors(STATE_FILE, dict(vars(state), history=rows))
        self.write_table("metrics.csv", rows)
