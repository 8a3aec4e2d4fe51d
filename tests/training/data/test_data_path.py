"""Reading windows costs next to nothing beside learning from them."""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import cast

import numpy as np
import pytest
import torch
from small_dataset import RATE, write_prepared

from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble, set_training
from training.fitting.fit import loss_of_step
from training.fitting.recipe import FitRecipe
from training.fitting.windows import Batch, Window, WindowLoader, draw_windows
from training.scores import LOSSES

N_TARGETS, TR = 210, 1.49
N_ATTEMPTS = 3


@pytest.fixture(scope="module")
def noise_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of five minutes: noise, and responses that have nothing to do with it."""
    generator = np.random.default_rng(0)
    names = ("run-1", "run-2", "held-out")
    n_trs = int(300 / TR)
    sounds = {name: generator.integers(-3000, 3000, 300 * RATE).astype(np.int16) for name in names}
    tables = {
        Run("sub-01", name, name, "", name, "", 0.0, TR, n_trs): generator.standard_normal(
            (n_trs, N_TARGETS)
        )
        for name in names
    }
    return write_prepared(tmp_path_factory.mktemp("noise") / "noise", sounds, tables, TR)


class OneBatch:
    """A loader that always gives out the same batch."""

    def __init__(self, parts: Parts, window: Window) -> None:
        (self.batch,) = parts.loader.batches([window])
        self.frozen = parts.loader.frozen

    def batches(self, windows: Sequence[Window]) -> Iterator[Batch]:
        yield self.batch


def share_of_speed(parts: Parts, n_steps: int) -> float:
    """Speed with real loading over the speed with one batch at hand, step by step in turn.

    Medians are compared: what other work on the machine does to single steps does not count.
    """
    settings, runs = parts.recipe.windows, parts.splits.train
    set_training(parts.encoder, parts.recipe.batchnorm)
    learning = [each for each in parts.encoder.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(learning, 1e-5)
    real = parts.predictor.loader
    # At the beginning of a run there is less context; all others have the same shapes.
    drawn = (
        window
        for epoch in count()
        for window in draw_windows(runs, settings, np.random.default_rng([0, epoch]))
        if window.first >= real.read_out.n_delays
    )
    windows = list(islice(drawn, n_steps))
    loaders = [real, cast(WindowLoader, OneBatch(parts, windows[0]))]
    seconds: list[list[float]] = [[], []]
    for i, window in enumerate([*windows[:2], *windows]):  # the first two do not count
        for which in (i % 2, 1 - i % 2):
            parts.predictor.loader = loaders[which]
            start = perf_counter()
            loss_of_step(parts.predictor, [window], LOSSES["mse"]).backward()
            optimiser.step()
            optimiser.zero_grad()
            seconds[which].append(perf_counter() - start)
    parts.predictor.loader = real
    loading, at_hand = (median(own[2:]) for own in seconds)
    return at_hand / loading


@pytest.mark.slow
@pytest.mark.timing
@pytest.mark.parametrize(("train_from", "n_trs"), [("conv1", 10), ("conv4", 70)])
def test_loading_takes_less_than_a_tenth_of_a_step(
    noise_dataset: Path, train_from: str, n_trs: int
):
    recipe = FitRecipe.model_validate(
        {
            "data": noise_dataset,
            "start": "untrained",
            "train_from": train_from,
            "read_out": {"initial": "random"},
            "windows": {"n_trs": n_trs},
            "split": {"validation": {"episodes": ["held-out"]}},
        }
    )
    parts = assemble(recipe)
    assert (parts.loader.frozen is None) == (train_from == "conv1")
    for run in parts.splits.train:
        if parts.loader.frozen is not None:
            parts.loader.frozen.frames(run.stimulus)  # as after the first epoch
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several wait for each other longer than they work
    shares: list[float] = []
    try:
        while len(shares) < N_ATTEMPTS and max(shares, default=0) < 0.9:
            shares.append(share_of_speed(parts, n_steps=9 if train_from == "conv1" else 31))
    finally:
        torch.set_num_threads(n_threads)
    assert max(shares) >= 0.9, shares
