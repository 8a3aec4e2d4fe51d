"""The HEAR tools in a process of their own: ``python -m benchmarks.hear.heareval_process``.

The arguments are ``embeddings SEED ...`` or ``predictions SEED ...``; the dots stand for the
arguments of ``heareval.embeddings.runner`` and ``heareval.predictions.runner``, which run as they
are inside :func:`benchmarks.hear.heareval_patches.heareval_on_current_libraries`. Or they are
``validation SEED MODULE WEIGHTS OPTIONS``: the HEAR validator, which knows no options of models
and gets them here.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hear.heareval_patches import OFFICIAL_SEED, heareval_on_current_libraries

TOOLS = {
    "embeddings": "heareval's embeddings runner",
    "predictions": "heareval's predictions runner",
    "validation": "the HEAR validator",
}


class HearevalError(ChildProcessError):
    """One of the HEAR tools ended with an error, or is not installed."""


def run_heareval(
    runner: str, arguments: Sequence[str], *, log: Path, seed: int = OFFICIAL_SEED
) -> None:
    """Run one of heareval's runners, or the validator, to its end in a new process, on the CPU.

    heareval 2021.1.3 does not start where torch sees a GPU and TensorFlow does not, so GPUs are
    hidden from it. Predictions run on one thread unless OMP_NUM_THREADS says otherwise: the probe
    is small, threads that wait for a busy core made it several times slower, and sums, hence
    scores, do not then depend on the number of cores.

    Parameters
    ----------
    runner : str
        {"embeddings", "predictions", "validation"}.
    arguments : sequence of str
        The runner's command line.
    log : Path
        What the process says is written there.
    seed : int
        See :func:`~benchmarks.hear.heareval_patches.heareval_on_current_libraries`.

    Raises
    ------
    HearevalError
        If it fails; names the log and its last line.
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
    """Run the runner that is named; what the new process does."""
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
