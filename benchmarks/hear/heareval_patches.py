"""Patches for heareval 2021.1.3 on current libraries, within a context.

heareval was written for pytorch-lightning 1.5 and torch 1.10. Since then:

1. ``torch.load`` rejects, by default, pickles such as heareval's own Lightning checkpoints. They
are written and read within one process, so the old default is restored for them.
2. ``trainer.fit_loop.current_epoch = n`` has no effect any more (pytorch-lightning 1.6 moved the
attribute); event tasks then look up the post-processing of the wrong epoch: ``KeyError``.

Besides, heareval always uses seed 42; the seed is replaced, so that 42 is the official result and
others show the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

OFFICIAL_SEED = 42


@contextmanager
def heareval_on_current_libraries(seed: int = OFFICIAL_SEED) -> Iterator[None]:
    """Patch torch, pytorch-lightning and heareval inside a ``with`` block; reverted at its end.

    For a process that only runs heareval: the patches affect the whole process.

    Parameters
    ----------
    seed : int
        Seed of heareval's predictions: order of the grid, initial weights, order of batches.
    """
    import torch
    from heareval.predictions import task_predictions
    from pytorch_lightning.loops import FitLoop

    def load_pickles(*args: Any, **options: Any) -> Any:
        if options.get("weights_only") is None:
            options["weights_only"] = False
        return load(*args, **options)

    def seed_with(_official: int, *args: Any, **options: Any) -> int:
        return seed_everything(seed, *args, **options)

    def current_epoch(loop: Any) -> int:
        return loop.epoch_progress.current.completed

    def set_current_epoch(loop: Any, epoch: int) -> None:
        loop.epoch_progress.current.completed = epoch

    fit_loop: Any = FitLoop
    load: Callable[..., Any] = torch.load
    seed_everything: Callable[..., int] = task_predictions.seed_everything
    try:
        torch.load = load_pickles
        task_predictions.seed_everything = seed_with
        fit_loop.current_epoch = property(current_epoch, set_current_epoch)
        yield
    finally:
        torch.load = load
        task_predictions.seed_everything = seed_everything
        if "current_epoch" in vars(fit_loop):
            del fit_loop.current_epoch
