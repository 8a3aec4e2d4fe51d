"""The command line: ``python -m benchmarks.published encoding | hear | page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.published.page import PAGE, RESULTS, write_page
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import new_app, run_program

PROGRAM = "python -m benchmarks.published"

app = new_app(PROGRAM, "Published figures, redone from the tables that their authors published.")

Data = Annotated[
    Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
]
Results = Annotated[Path, typer.Option(help="Folder for the numbers, one JSON file each.")]


@app.command()
def encoding(data: Data, results: Results = RESULTS) -> None:
    """Gains of fine-tuning from conv4 over the frozen baseline."""
    from benchmarks.published.encoding import run_encoding

    typer.echo(write_result(results, "encoding", run_encoding(data)))


@app.command()
def hear(data: Data, results: Results = RESULTS) -> None:
    """HEAR scores of brain-aligned models, and their places on the leaderboard."""
    from benchmarks.published.hear import run_hear

    typer.echo(write_result(results, "hear", run_hear(data)))


@app.command()
def page(
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="The page; pictures go beside it.")] = PAGE,
) -> None:
    """Write the results page and its pictures from the numbers alone."""
    typer.echo(write_page(results, out))


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what goes wrong is one line and an exit status."""
    run_program(app, PROGRAM, arguments)
