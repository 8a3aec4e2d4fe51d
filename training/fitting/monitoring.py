"""Progress display of a fit: a bar, curves, TensorBoard, and optionally W&B."""

from __future__ import annotations

import io
import sys
import time
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from tqdm import tqdm

from hear_brainsoundnet.files import write_atomically
from training.fitting.recipe import FitRecipe
from training.fitting.run_folder import Epoch, RunFolder, State
from training.progress import bar

StepT = TypeVar("StepT")

SECONDS_BETWEEN_PICTURES = 60.0


class Monitor:
    """Monitor of a fit; only the main process shows and writes anything.

    Parameters
    ----------
    folder : RunFolder
        Destination of curves and event files.
    recipe : FitRecipe
        Sets whether Weights & Biases is used.
    n_epochs_done : int
        Epochs before this start, for a resumed fit.
    writes : bool
        Whether this process writes files.
    shown : bool
        Whether it shows progress bars.

    Raises
    ------
    ValueError
        If Weights & Biases is requested and not installed.
    """

    def __init__(
        self, folder: RunFolder, recipe: FitRecipe, n_epochs_done: int, *, writes: bool, shown: bool
    ) -> None:
        self.folder = folder
        self.writes = writes
        self.shown = shown
        self._drawn = 0.0
        self._board = _tensorboard(folder, n_epochs_done) if writes else None
        self._wandb = _weights_and_biases(folder, recipe) if writes else None
        self._bar: tqdm[Any] | None = None

    def steps(self, steps: Iterable[StepT], epoch: int) -> Iterator[StepT]:
        """The steps of an epoch, with a progress bar."""
        with bar(steps, desc=f"epoch {epoch}", shown=self.shown, leave=False) as shown:
            self._bar = shown
            yield from shown

    def step(self, loss: float) -> None:
        """Show the loss of one step in the bar."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.4f}", refresh=False)

    def epoch(self, state: State) -> None:
        """Log the metrics of one epoch."""
        row = state.history[-1]
        if self.shown:
            kept = " *" if state.best_epoch == row.epoch else ""
            tqdm.write(
                f"epoch {row.epoch:4d}  train {row.train_loss:.4f}  validation "
                f"{row.validation_loss:.4f}  r {row.validation_r:+.4f}  R² {row.validation_r2:+.4f}"
                f"{kept}",
                file=sys.stderr,
            )
        numbers = {key: value for key, value in asdict(row).items() if key != "epoch"}
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, row.epoch)
        if self._wandb is not None:
            self._wandb.log(numbers, step=row.epoch)
        if time.monotonic() - self._drawn > SECONDS_BETWEEN_PICTURES:
            self.draw(state)

    def draw(self, state: State) -> None:
        """Write ``curves.png``."""
        if self.writes and state.history:
            write_atomically(
                self.folder.path / "curves.png", draw_curves(state.history, state.best_epoch)
            )
            self._drawn = time.monotonic()

    def close(self) -> None:
        """Close open writers."""
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()


def draw_curves(history: Sequence[Epoch], best_epoch: int) -> bytes:
    """PNG of losses and validation scores over epochs, with the selected epoch marked."""
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


def _tensorboard(folder: RunFolder, n_epochs_done: int) -> Any:
    """A TensorBoard event file if it is installed, else None."""
    # TensorBoard imports all of TensorFlow (seconds, warnings) without this stub.
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("notf"))
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder.path / "tensorboard"), purge_step=n_epochs_done)


def _weights_and_biases(folder: RunFolder, recipe: FitRecipe) -> Any:
    if recipe.weights_and_biases is None:
        return None
    try:
        import wandb
    except ImportError as error:
        raise ValueError(
            "weights_and_biases is set and wandb is not installed: pip install wandb, or leave "
            "the key out"
        ) from error
    return wandb.init(
        project=recipe.weights_and_biases,
        name=folder.path.name,
        dir=str(folder.path),
        config=recipe.model_dump(mode="json"),
        resume="allow",
    )
