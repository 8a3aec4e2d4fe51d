"""The command line: ``python -m benchmarks.encoding EXPERIMENT``, then ``page``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command_line import add_page, run_benchmark
from benchmarks.encoding.page import write_page
from benchmarks.places import Committed, Data, Places, Results
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import new_app
from hear_brainsoundnet.named import NAMED

PROGRAM = "python -m benchmarks.encoding"
PLACES = Places("encoding")

app = new_app(PROGRAM, "Prediction of responses to held-out sounds, on real and simulated data.")

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


@app.command()
def natsound165(
    data: Data,
    out: Out,
    start: Start = UNTRAINED,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Six response components to 165 natural sounds."""
    numbers = PLACES.results(results, committed)
    from benchmarks.encoding.natsound165 import run_natsound165

    name = named_after("natsound165", start)
    typer.echo(write_result(numbers, name, run_natsound165(data, out, start=start)))


@app.command()
def alice(
    data: Data,
    out: Out,
    start: Start = UNTRAINED,
    results: Results = None,
    committed: Committed = False,
) -> None:
    """Six regions of 27 listeners to a story."""
    numbers = PLACES.results(results, committed)
    from benchmarks.encoding.alice import run_alice

    name = named_after("alice", start)
    typer.echo(write_result(numbers, name, run_alice(data, out, start=start)))


@app.command()
def alice_commands(
    data: Data, out: Out, results: Results = None, committed: Committed = False
) -> None:
    """The story by `training fit`, `evaluate`, `compare`, `partition` and `report` only."""
    numbers = PLACES.results(results, committed)
    from benchmarks.encoding.evaluated import run_alice_commands

    typer.echo(write_result(numbers, "alice-commands", run_alice_commands(data, out)))


@app.command()
def natsound165_commands(
    data: Data, out: Out, results: Results = None, committed: Committed = False
) -> None:
    """The natural sounds by the same commands, frozen and fine-tuned over ten splits."""
    numbers = PLACES.results(results, committed)
    from benchmarks.encoding.evaluated import run_natsound165_commands

    typer.echo(write_result(numbers, "natsound165-commands", run_natsound165_commands(data, out)))


@app.command()
def simulated(
    out: Out, start: Start = UNTRAINED, results: Results = None, committed: Committed = False
) -> None:
    """A simulated brain with known ground truth."""
    numbers = PLACES.results(results, committed)
    name = named_after("simulated", start)
    module = import_module("benchmarks.encoding.simulated")
    document = module.run_simulated(out, module.Experiment(start=start))
    typer.echo(write_result(numbers, name, document))


add_page(app, PLACES, write_page)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
