"""Loss curves of a pretraining."""

from __future__ import annotations

import io
from collections.abc import Sequence

from training.pretraining.run import LossRow


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
