"""The folder of a pretraining, and its loss curves.

RUN/
    config.yaml     the validated recipe, defaults included
    origin.json     manifest of the corpus, git revision, versions
    losses.csv      means of each objective between two states
    state.pt        everything needed to resume
    curves.png      the losses over steps
"""

from __future__ import annotations

import io
from collections.abc import Sequence
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

    what = "pretraining"

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


def draw_losses(history: Sequence[LossRow]) -> bytes:
    """PNG of the losses: one panel per objective, one line per stage."""
    from matplotlib.figure import Figure

    objectives: dict[str, list[str]] = {}
    for name in history[-1].losses:
        objectives.setdefault(name.split(" from ")[0], []).append(name)
    figure = Figure(figsize=(2.8 * len(objectives), 2.8), layout="constrained")
    for axes, (objective, names) in zip(
        figure.subplots(1, len(objectives), squeeze=False)[0], objectives.items(), strict=True
    ):
        for name in names:
            stage = name.partition(" from ")[2]
            axes.plot(
                [row.step for row in history],
                [row.losses[name] for row in history],
                label=stage or None,
            )
        axes.set_title(objective.replace("_", " "), fontsize="medium")
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            axes.legend(frameon=False, fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
