"""The folder of a pretraining.

RUN/
    config.yaml     the validated recipe, defaults included
    origin.json     manifest of the corpus, git revision, versions
    losses.csv      means of each objective between two states
    state.pt        everything needed to resume
    curves.png      the losses over steps
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from training.pretraining.recipe import PretrainRecipe
from training.recipe_folder import RecipeFolder

STATE_FILE = "state.pt"


@dataclass(frozen=True)
class LossRow:
    """Weighted losses by objective, means over the steps since the previous row."""

    step: int
    losses: dict[str, float]


@dataclass
class PretrainState:
    """State of a pretraining: steps done, losses, weights, optimiser, scale of the targets."""

    step: int = 0
    history: list[LossRow] = field(default_factory=list)
    learner: dict[str, Tensor] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)


class PretrainFolder(RecipeFolder[PretrainRecipe]):
    """The files of one pretraining."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, PretrainRecipe)

    def read_state(self) -> PretrainState | None:
        """The last state, or None before the first; ValueError if the file is damaged."""
        content = self.read_tensors(STATE_FILE)
        if content is None:
            return None
        try:
            history = [LossRow(**row) for row in content.pop("history")]
            return PretrainState(history=history, **content)
        except (KeyError, TypeError) as error:
            raise self.damaged(STATE_FILE) from error

    def write_state(self, state: PretrainState) -> None:
        """Write the state and the table of losses."""
        history = [asdict(row) for row in state.history]
        self.write_tensors(STATE_FILE, dict(vars(state), history=history))
        self.write_table("losses.csv", [{"step": r.step, **r.losses} for r in state.history])
