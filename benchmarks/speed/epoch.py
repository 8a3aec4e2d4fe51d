"""Duration of an epoch of fine-tuning from conv4, against the earlier public recipe.

Both train on the same windows of the same synthetic runs. An epoch is its training steps: reading
windows, forward pass, loss, and update; the recipes' validation runs are not included. Three epochs
of this package are measured:

- the *first*, in which the frames of the frozen stages are computed and kept;
- a *later* one, which starts from these frames;
- one with the read-out's tr_sampling "crop", as in the published models, where frames cannot be
  cached because windows are independent.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import torch

from benchmarks.speed.earlier import EarlierNetwork, EarlierTraining
from benchmarks.speed.noise_dataset import SUBJECT, TR, write_noise
from benchmarks.speed.timing import Comparison, machine, take_turns
from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble, set_training
from training.fitting.fit import loss_of_step
from training.fitting.frozen import FrozenStages
from training.fitting.predicting import Predictor
from training.fitting.recipe import FitRecipe
from training.fitting.windows import Batch, Window, WindowLoader, draw_windows
from training.scores import LOSSES

EPOCHS = {
    "first": "first epoch",
    "later": "every later epoch",
    "crop": "any epoch with tr_sampling crop",
}
HELD_OUT = "held-out"  # the validation run, required by a fit


@dataclass(frozen=True)
class EpochSpeed:
    """Epochs of both recipes.

    Attributes
    ----------
    n_runs, n_windows, n_trs, n_targets, n_threads : int
        Runs, windows per epoch, TRs per window, targets, and CPU threads.
    minutes : float
        Length of each run.
    first, later, crop : Comparison
        Of the epochs above with one of the earlier recipe.
    loading : float
        Fraction of a later epoch spent waiting for the loader; maximum over both samplings.
    """

    n_runs: int
    n_windows: int
    n_trs: int
    n_targets: int
    n_threads: int
    minutes: float
    first: Comparison
    later: Comparison
    crop: Comparison
    loading: float


def epoch_document(
    threads: Sequence[int] | None, n_runs: int, minutes: float, n_rounds: int
) -> dict[str, Any]:
    """One row for each kind of epoch and number of threads; by default one, and torch's default.

    On a busy machine, one thread is more informative than several: threads wait for each other
    after every operation.
    """
    at_work = machine()
    speeds = [
        measure_epoch(n_runs, minutes, n_rounds=n_rounds, n_threads=n_threads)
        for n_threads in threads or sorted({1, torch.get_num_threads()})
    ]
    one = speeds[0]
    return {
        "title": "An epoch of fine-tuning from conv4",
        "rows": [
            {"threads": speed.n_threads, **getattr(speed, name).row(words)}
            for speed in speeds
            for name, words in EPOCHS.items()
        ],
        "notes": [
            f"{one.n_runs} runs of {one.minutes:g} minutes, {one.n_windows} windows of {one.n_trs} "
            f"TRs, one per step, {one.n_targets} targets, 5 delays, AdamW; training steps only.",
            "Plain: the earlier public recipe (`earlier.py`) on the same windows. Both took turns "
            f"in one process; medians over {n_rounds} rounds, ratios of the times of one round. "
            "Below 1 this package is faster.",
            "In the first epoch the frames of the frozen stages are computed once and kept; with "
            "tr_sampling crop they cannot be kept, because windows are independent.",
            "Several threads wait for each other after every operation. Where other work takes "
            "part of the cores this waiting, and not the work, decides the times, and ratios above "
            "1 come up; the rows of one thread are then the ones to read.",
            f"The loader takes {max(speed.loading for speed in speeds):.1%} of a later epoch at "
            "most. It works in the thread that trains, so that this is how long the arithmetic "
            "waits.",
            at_work.note(),
        ],
        "details": {"machine": asdict(at_work), "speeds": [asdict(speed) for speed in speeds]},
    }


def measure_epoch(
    n_runs: int = 2,
    minutes: float = 5.0,
    n_trs: int = 70,
    n_targets: int = 210,
    n_rounds: int = 5,
    n_threads: int = 1,
    seed: int = 0,
) -> EpochSpeed:
    """Time epochs of both recipes in turn.

    Raises
    ------
    ValueError
        If there is no round, no run, or a window is longer than a run.
    """
    with tempfile.TemporaryDirectory() as folder, _threads(n_threads):
        write_dataset(Path(folder, "noise"), n_runs, minutes, n_targets, seed)
        ours = OurTraining(recipe(Path(folder, "noise"), n_trs, "interpolate"))
        cropped = OurTraining(recipe(Path(folder, "noise"), n_trs, "crop"))
        earlier = earlier_training(ours.parts)
        generator = np.random.default_rng([seed, n_runs])
        windows = draw_windows(ours.parts.splits.train, ours.parts.recipe.windows, generator)

        def first() -> None:
            ours.forget_frames()
            ours.epoch(windows)

        contenders = {
            "first": first,
            "later": lambda: ours.epoch(windows),
            "crop": lambda: cropped.epoch(windows),
        }
        compared = take_turns(lambda: earlier.epoch(windows), contenders, n_rounds)
        loading = max(loading_share(ours, windows), loading_share(cropped, windows))
    return EpochSpeed(
        n_runs, len(windows), n_trs, n_targets, n_threads, minutes, **compared, loading=loading
    )


def write_dataset(folder: Path, n_runs: int, minutes: float, n_targets: int, seed: int) -> None:
    """A prepared dataset of noise: runs for training, and one held out."""
    names = [*(f"run-{i + 1}" for i in range(n_runs)), HELD_OUT]
    n_trs = int(minutes * 60 / TR)
    runs = [Run(SUBJECT, name, name, "", name, "", 0.0, TR, n_trs) for name in names]
    write_noise(folder, dict.fromkeys(names, minutes * 60), runs, n_targets, seed)


def loading_share(training: OurTraining, windows: Sequence[Window]) -> float:
    """Fraction of an epoch's time spent in the loader."""
    loader, spent = training.predictor.loader, 0.0
    batches = loader.batches

    def clocked(some: Sequence[Window]) -> Iterator[Batch]:
        nonlocal spent
        given = batches(some)
        while True:
            began = time.perf_counter()
            batch = next(given, None)
            spent += time.perf_counter() - began
            if batch is None:
                return
            yield batch

    with mock.patch.object(loader, "batches", clocked):
        began = time.perf_counter()
        training.epoch(windows)
        return spent / (time.perf_counter() - began)


def recipe(data: Path, n_trs: int, tr_sampling: Literal["interpolate", "crop"]) -> FitRecipe:
    """The recipe of the comparison, matched to the earlier one."""
    return FitRecipe.model_validate(
        {
            "data": data,
            "start": "untrained",
            "train_from": "conv4",
            "read_out": {"n_delays": 5, "tr_sampling": tr_sampling, "initial": "random"},
            "windows": {"n_trs": n_trs},
            "optimiser": {"learning_rate": 1e-5, "weight_decay": 1e-3},
            "split": {"validation": {"episodes": [HELD_OUT]}},
        }
    )


class OurTraining:
    """The steps of an epoch as in :func:`training.fitting.fit.fit`."""

    def __init__(self, recipe: FitRecipe) -> None:
        self.parts = assemble(recipe)
        self.predictor = self.parts.predictor
        learning = [each for each in self.parts.encoder.parameters() if each.requires_grad]
        settings = recipe.optimiser
        self.optimiser = torch.optim.AdamW(
            learning, settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self, windows: Sequence[Window]) -> list[float]:
        """One step for each window; returns all losses."""
        recipe = self.parts.recipe
        set_training(self.parts.encoder, recipe.batchnorm)
        losses = []
        with _deterministic():
            for window in windows:
                loss = loss_of_step(self.predictor, [window], LOSSES[recipe.loss])
                loss.backward()
                self.optimiser.step()
                self.optimiser.zero_grad()
                losses.append(float(loss.detach()))
        return losses

    def forget_frames(self) -> None:
        """Clear the cache of frozen frames, and close files."""
        parts, old = self.parts, self.parts.loader
        scale = parts.start.card.input_scale
        frozen = None
        if old.frozen is not None:
            frozen = FrozenStages(parts.encoder, old.frozen.stage.name, parts.prepared, scale)
        columns = range(parts.prepared.n_targets)
        loader = WindowLoader(parts.prepared, old.read_out, old.stage, scale, list(columns), frozen)
        self.predictor = Predictor(parts.encoder, loader, parts.recipe.windows.n_trs)


def earlier_training(parts: Parts) -> EarlierTraining:
    """The earlier recipe with the same initial weights, runs, read-out and optimiser."""
    recipe, prepared = parts.recipe, parts.prepared
    network = EarlierNetwork(
        parts.start.soundnet, prepared.n_targets, recipe.read_out.n_delays, recipe.train_from
    )
    rates = recipe.optimiser.learning_rate, recipe.optimiser.weight_decay
    return EarlierTraining(network, prepared, parts.splits.train, *rates)


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic mode, as in a fit; not used for the earlier recipe."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
