"""The command line: ``python -m benchmarks.published encoding | page``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.published.page import PAGE, RESULTS, write_page
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import run_program

PROGRAM = "python -m benchmarks.published"

app = typer.Typer(
    name=PROGRAM,
    help="Published figures, redone from the tables that their authors published.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Results = Annotated[Path, typer.Option(help="Folder for the numbers, one JSON file each.")]


@app.command()
def encoding(
    data: Annotated[
        Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
    ],
    results: Results = RESULTS,
) -> None:
    """Gains of fine-tuning from conv4 over the frozen baseline."""
    from benchmarks.published.encoding import run_encoding

    typer.echo(write_result(results, "encoding", run_encoding(data)))


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
