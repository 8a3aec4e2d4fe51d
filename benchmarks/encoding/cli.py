"""Experiments of brain encoding, and their page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.encoding.page import PAGE
from benchmarks.program import Benchmark, Data, Named
from hear_brainsoundnet.checkpoint import NAMED

benchmark = Benchmark("encoding", PAGE.write)
app = benchmark.app

Out = Annotated[
    Path, typer.Option(help="Folder for prepared data and fits; finished fits are reused.")
]
Start = Annotated[str, typer.Option(help="Initial checkpoint, from the package.")]
UNTRAINED = "untrained"


def named_after(experiment: str, start: str) -> str:
    """Name of an experiment's results; without suffix for random weights.

    Raises
    ------
    ValueError
        If no checkpoint of the package has that name.
    """
    if start not in ("default", *NAMED):
        raise ValueError(f"--start must be one of default, {', '.join(NAMED)}, got {start!r}")
    return experiment if start == UNTRAINED else f"{experiment}-{start}"


@benchmark.experiment
def natsound165(data: Data, out: Out) -> Named:
    """Six response components to 165 natural sounds: a frozen and a fine-tuned network."""
    from benchmarks.encoding.natsound165 import run_natsound165

    yield "natsound165", run_natsound165(data, out)


@benchmark.experiment
def alice(data: Data, out: Out) -> Named:
    """Six regions of 27 subjects who listened to a story."""
    from benchmarks.encoding.alice import run_alice

    yield "alice", run_alice(data, out)


@benchmark.experiment
def simulated(out: Out, start: Start = UNTRAINED) -> Named:
    """A simulated brain with known ground truth."""
    name = named_after("simulated", start)
    from benchmarks.encoding.simulated import Experiment, run_simulated

    yield name, run_simulated(out, Experiment(start=start))


@benchmark.experiment
def responses(out: Out) -> Named:
    """Haemodynamic responses of the read-out, on simulated brains with known ones."""
    from benchmarks.encoding.responses import run_responses

    yield "responses", run_responses(out)


@benchmark.experiment
def new_subject(out: Out) -> Named:
    """A new subject's read-out from little data, on a network trained on simulated others."""
    from benchmarks.encoding.new_subject import run_new_subject

    yield "new-subject", run_new_subject(out)
