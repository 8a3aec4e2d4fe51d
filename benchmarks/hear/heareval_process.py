"""The HEAR tools in a separate process, which runs this module.

The arguments are ``embeddings SEED ...`` or ``predictions SEED ...``, followed by the arguments of
``heareval.embeddings.runner`` and ``heareval.predictions.runner``, which run unmodified inside
:func:`heareval_on_current_libraries`; or ``validation SEED MODULE
WEIGHTS OPTIONS`` for the HEAR validator, which has no model options of its own.

The tools pin libraries that no current Python can install, so they are installed without
dependencies, which ``pip install ".[hear]"`` provides. Plain pip selects hearvalidator 2021.0.2 on
Python 3.9 and newer: it checks neither several lengths nor start and end of the timestamps.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OFFICIAL_SEED = 42
TOOLS = {
    "embeddings": "heareval's embeddings runner",
    "predictions": "heareval's predictions runner",
    "validation": "the HEAR validator",
}
VERSIONS = {"heareval": "2021.1.3", "hearvalidator": "2021.0.6"}
INSTALL = "pip install --no-deps --ignore-requires-python " + " ".join(
    f"{name}=={number}" for name, number in VERSIONS.items()
)


@contextmanager
def heareval_on_current_libraries(seed: int = OFFICIAL_SEED) -> Iterator[None]:
    """Patch torch, pytorch-lightning and heareval inside a ``with`` block; reverted at its end.

    For a process that only runs heareval: the patches affect the whole process. heareval 2021.1.3
    was written for pytorch-lightning 1.5 and torch 1.10. Since then:

    1. ``torch.load`` rejects, by default, pickles such as heareval's own Lightning checkpoints.
       They are written and read within one process, so the old default is restored for them.
    2. ``trainer.fit_loop.current_epoch = n`` has no effect any more (pytorch-lightning 1.6 moved
       the attribute); event tasks then look up the post-processing of the wrong epoch.

    Besides, heareval always uses seed 42; the seed is replaced, so that 42 is the official result
    and others show the spread.

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


class HearevalError(ChildProcessError):
    """One of the HEAR tools failed, or is not installed."""


def check_tools() -> None:
    """Check that both tools are installed, in supported versions.

    Raises
    ------
    HearevalError
        If one is missing or of another version; the message gives the installation command.
    """
    for name, expected in VERSIONS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            raise HearevalError(
                f'{name} is not installed; pip install ".[hear]" and then: {INSTALL}'
            ) from None
        if found != expected:
            raise HearevalError(f"{name} is {found}, expected {expected}; install it: {INSTALL}")


def run_heareval(
    runner: str, arguments: Sequence[str], *, log: Path, seed: int = OFFICIAL_SEED
) -> None:
    """Run one of heareval's runners, or the validator, in a new process, on the CPU.

    heareval 2021.1.3 fails to start if torch sees a GPU and TensorFlow does not, so GPUs are
    hidden. Predictions run on one thread unless OMP_NUM_THREADS is set: the probe is small, several
    threads on busy cores made it several times slower, and scores then do not depend on the number
    of cores.

    Parameters
    ----------
    runner : str
        {"embeddings", "predictions", "validation"}.
    arguments : sequence of str
        The runner's command line.
    log : Path
        File for the output of the process.
    seed : int
        See :func:`~benchmarks.hear.heareval_process.heareval_on_current_libraries`.

    Raises
    ------
    HearevalError
        If it fails; the message has the log's path and its last line.
    """
    command = [sys.executable, "-m", "benchmarks.hear.heareval_process", runner, str(seed)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if runner == "predictions":
        environment.setdefault("OMP_NUM_THREADS", "1")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.run(
            [*command, *arguments], env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    if process.returncode != 0:
        lines = log.read_text(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        raise HearevalError(
            f"{TOOLS[runner]} ended with status {process.returncode}: {last} (all of it: {log})"
        )


def main(arguments: Sequence[str]) -> None:
    """Run the given runner; entry point of the new process."""
    runner, seed, *rest = arguments
    if runner == "validation":
        validate(*rest)
        return
    with heareval_on_current_libraries(int(seed)):
        if runner == "embeddings":
            from heareval.embeddings.runner import runner as run
        else:
            from heareval.predictions.runner import runner as run
        run(rest, standalone_mode=False)


def validate(module: str, weights: str, options: str) -> None:
    """Run the validator on a model with the keywords of `options`, a JSON object."""
    from hearvalidator.validate import ValidateModel

    imported = importlib.import_module(module)
    load_model = imported.load_model
    vars(imported)["load_model"] = functools.partial(load_model, **json.loads(options))
    ValidateModel(module, weights, device="cpu")()


if __name__ == "__main__":
    main(sys.argv[1:])
