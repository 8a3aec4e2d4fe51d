"""Progress display of a fit: a bar, curves, and the trackers that its recipe asks for."""

from __future__ import annotations

import io
import sys
import time
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any, TypeVar

from accelerate.tracking import TensorBoardTracker, WandBTracker
from tqdm import tqdm

from hear_brainsoundnet.files import write_atomically
from training.fitting.fit_folder import Epoch, FitFolder, State
from training.fitting.recipe import FitRecipe
from training.progress import bar

StepT = TypeVar("StepT")

SECONDS_BETWEEN_PICTURES = 60.0


class Monitor:
    """Monitor of a fit; only the main process shows and writes anything.

    Parameters
    ----------
    folder : FitFolder
        Destination of curves and event files.
    recipe : FitRecipe
        Sets whether TensorBoard and Weights & Biases are used.
    n_epochs_done : int
        Epochs before this start, for a resumed fit.
    writes : bool
        Whether this process writes files.
    shown : bool
        Whether it shows progress bars.

    Raises
    ------
    ValueError
        If one that is requested is not installed.
    """

    def __init__(
        self, folder: FitFolder, recipe: FitRecipe, n_epochs_done: int, *, writes: bool, shown: bool
    ) -> None:
        self.folder = folder
        self.writes = writes
        self.shown = shown
        self._drawn = 0.0
        self._trackers = _trackers(folder, recipe, n_epochs_done) if writes else []
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
        for tracker in self._trackers:
            tracker.log(numbers, step=row.epoch)
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
        """Close open trackers."""
        for tracker in self._trackers:
            tracker.finish()


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


def _trackers(
    folder: FitFolder, recipe: FitRecipe, n_epochs_done: int
) -> list[TensorBoardTracker | WandBTracker]:
    """The trackers that the recipe asks for, started."""
    for key, package in (("tensorboard", "tensorboard"), ("weights_and_biases", "wandb")):
        if getattr(recipe, key) and find_spec(package) is None:
            raise ValueError(
                f"{key} is set and {package} is not installed: pip install {package}, or leave "
                "the key out"
            )
    trackers: list[TensorBoardTracker | WandBTracker] = []
    if recipe.tensorboard:
        # TensorBoard imports all of TensorFlow (seconds, warnings) without this stub.
        sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("notf"))
        trackers.append(
            TensorBoardTracker("tensorboard", str(folder.path), purge_step=n_epochs_done)
        )
    if recipe.weights_and_biases:
        about = {"name": folder.path.name, "dir": str(folder.path), "resume": "allow"}
        config = recipe.model_dump(mode="json")
        trackers.append(WandBTracker(recipe.weights_and_biases, config=config, **about))
    for tracker in trackers:
        tracker.start()
    return trackers
