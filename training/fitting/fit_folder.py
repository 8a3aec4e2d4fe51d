"""Folder of a fit: recipe, provenance, metrics, last state, and at its end its checkpoint.

    FIT/
        config.yaml       the validated recipe, defaults included
        origin.json       split, starting weights, git revision, versions
        metrics.csv       one row per epoch; epoch 0 is before any training
        state.pt          everything needed to resume, and the best weights so far
        curves.png        losses and scores over epochs
        scores.csv        at the end: scores of the best weights, per run and target
        outcome.json      at the end: the selected epoch, and the stopping criterion
        model.targets.nii.gz   at the end: image of the targets, if the dataset has one; or
                               model.targets.dscalar.nii
        model.safetensors last of all: the checkpoint of the best weights; a fit is finished if
                          and only if it is there
        tensorboard/      event files, with ``tensorboard: true``

A state is written after every epoch if that is quick; if it takes long (half a gigabyte with 10,000
targets), writing takes at most a twentieth of the time. A resumed fit repeats the epochs since the
last state, with the same result.

Each file appears under its name only when complete; ``state.pt`` is read without unpickling
anything but tensors and plain values.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from training.fitting.recipe import FitRecipe
from training.recipe_folder import RecipeFolder

STATE_FILE = "state.pt"
OUTCOME_FILE = "outcome.json"
MODEL_FILE = "model.safetensors"
SCORES_FILE = "scores.csv"

QUICK_S = 0.5  # writing time up to which every epoch is written
LARGEST_SHARE = 0.05  # of the time, for writing states


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
    """State of a fit at the end of an epoch.

    Attributes
    ----------
    history : list of Epoch
        All epochs so far.
    best_epoch : int
        The epoch whose weights are kept.
    best, model : dict
        Best and current weights, by name.
    optimiser, schedule, scaler : dict
        Their states.
    finished : bool
        Whether the fit is finished; states of the optimiser are then empty.
    """

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    model: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True)
class Outcome:
    """Outcome of a fit.

    Attributes
    ----------
    kept_epoch, n_epochs : int
        Selected epoch, 0 for the initial weights; total number of epochs.
    ended_by : str
        {"patience", "max_epochs"}.
    start : str
        Name of the network's initial weights.
    initial : str
        Initial weights of the read-out, as in the recipe.
    keep : str
        {"best", "last"}, as in the recipe.
    """

    kept_epoch: int
    n_epochs: int
    ended_by: str
    start: str
    initial: str
    keep: str = "best"

    def sentence(self) -> str:
        """Human-readable summary.

        Examples
        --------
        >>> Outcome(0, 15, "patience", "default", "ridge").sentence()[:49]
        'no epoch of 15 was better than the start on the v'
        >>> Outcome(7, 22, "patience", "default", "ridge").sentence()
        'epoch 7 of 22 was the best and is kept'
        """
        weights = f"the network of {self.start} unchanged, with its {self.initial} read-out"
        if self.n_epochs == 0:
            return f"nothing was trained (optimiser.max_epochs is 0): {weights}"
        if self.keep == "last":
            return f"epoch {self.kept_epoch}, the last, is kept (optimiser.keep is last)"
        if self.kept_epoch == 0:
            return (
                f"no epoch of {self.n_epochs} was better than the start on the validation runs; "
                f"{weights}, is kept"
            )
        more = " (the last: more epochs may be better still)" if self._is_last() else ""
        return f"epoch {self.kept_epoch} of {self.n_epochs} was the best and is kept{more}"

    def _is_last(self) -> bool:
        return self.kept_epoch == self.n_epochs and self.ended_by == "max_epochs"


def outcome_of(state: State, recipe: FitRecipe, start: str) -> Outcome:
    """Outcome of a finished fit."""
    n_epochs = state.history[-1].epoch
    settings = recipe.optimiser
    ended_by = "max_epochs" if n_epochs >= settings.max_epochs else "patience"
    return Outcome(
        state.best_epoch, n_epochs, ended_by, start, recipe.read_out.initial, settings.keep
    )


class FitFolder(RecipeFolder[FitRecipe]):
    """The files of one fit.

    Parameters
    ----------
    path : path-like
        The folder.
    """

    what = "fit"

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, FitRecipe)
        self._written_at, self._seconds = -float("inf"), 0.0

    def model_path(self) -> Path:
        """The checkpoint of a finished fit.

        Raises
        ------
        FileNotFoundError
            If there is no fit.
        ValueError
            If it is not finished.
        """
        config, path = self.config(), self.path / MODEL_FILE
        if not path.exists():
            raise ValueError(
                f"{self.path} is not finished (no {MODEL_FILE}); finish it: python -m training "
                f"fit {config} --out {self.path} --resume"
            )
        return path

    def scores(self) -> Any:
        """The table of scores, a pandas.DataFrame; see
        :func:`training.fitting.predicting.score_runs`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none, or an earlier program wrote it.
        """
        import pandas

        path = self.path / SCORES_FILE
        scores = pandas.read_csv(path, dtype={"subject": str, "run": str})
        if "split" not in scores:
            raise ValueError(
                f"{path} has no column 'split': an earlier program wrote it; fit again, or rename "
                "its column 'side'"
            )
        return scores

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

    def keep(self, state: State) -> None:
        """Write the metrics, and the state if it is due, see the module docstring."""
        waited = time.monotonic() - self._written_at
        if self._seconds <= QUICK_S or waited * LARGEST_SHARE >= self._seconds:
            self.write_state(state)
        else:
            self._write_metrics(state)

    def write_state(self, state: State) -> None:
        """Write the state and the metrics; the old ones stay until the new ones are complete."""
        began = time.monotonic()
        rows = [asdict(epoch) for epoch in state.history]
        self.write_tensors(STATE_FILE, dict(vars(state), history=rows))
        self._write_metrics(state)
        self._written_at = time.monotonic()
        self._seconds = self._written_at - began

    def finish(self, state: State, outcome: Outcome) -> None:
        """Write the outcome and the last state, without what only further epochs would need."""
        self.write_document(OUTCOME_FILE, {**asdict(outcome), "summary": outcome.sentence()})
        state.optimiser, state.schedule, state.scaler = {}, {}, {}
        state.finished = True
        self.write_state(state)

    def _write_metrics(self, state: State) -> None:
        self.write_table("metrics.csv", [asdict(epoch) for epoch in state.history])
