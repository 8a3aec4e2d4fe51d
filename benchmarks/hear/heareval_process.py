"""heareval in a process of its own: ``python -m benchmarks.hear.heareval_process``.

The arguments are ``embeddings SEED ...`` or ``predictions SEED ...``; the dots stand for the
arguments of ``heareval.embeddings.runner`` and ``heareval.predictions.runner``, which run as they
are inside :func:`benchmarks.hear.heareval_patches.heareval_on_current_libraries`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hear.heareval_patches import OFFICIAL_SEED, heareval_on_current_libraries


class HearevalError(RuntimeError):
    """heareval ended with an error."""


def run_heareval(
    runner: str, arguments: Sequence[str], *, log: Path, seed: int = OFFICIAL_SEED
) -> None:
    """Run one of heareval's runners to its end in a new process, on the CPU.

    heareval 2021.1.3 does not start where torch sees a GPU and TensorFlow does not, so GPUs are
    hidden from it. Predictions run on one thread unless OMP_NUM_THREADS says otherwise: the probe
    is small, threads that wait for a busy core made it several times slower, and sums, hence
    scores, do not then depend on the number of cores.

    Parameters
    ----------
    runner : str
        {"embeddings", "predictions"}.
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
            f"heareval's {runner} runner ended with status {process.returncode}: {last} "
            f"(all of it: {log})"
        )


def main(arguments: Sequence[str]) -> None:
    """Run the runner that is named; what the new process does."""
    runner, seed, *rest = arguments
    with heareval_on_current_libraries(int(seed)):
        if runner == "embeddings":
            from heareval.embeddings.runner import runner as run
        else:
            from heareval.predictions.runner import runner as run
        run(rest, standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1:])
