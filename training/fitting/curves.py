"""Learning curves: losses and validation scores over epochs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from training.fitting.run_folder import Epoch


def draw_curves(history: Sequence[Epoch], best_epoch: int) -> bytes:
    """PNG of the curves, with the selected epoch marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    losses.plot(epochs[1:], [row.train_loss for row in history[1:]], label="training")
    losses.plot(epochs, [row.validation_loss for row in history], label="validation")
    losses.set_ylabel("loss")
    scores.plot(epochs, [row.validation_r for row in history], label="Pearson r")
    scores.plot(epochs, [row.validation_r2 for row in history], label="R²")
    scores.set_ylabel("validation, mean over runs and targets")
    for axes in (losses, scores):
        axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"kept: epoch {best_epoch}")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
