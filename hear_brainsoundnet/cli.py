"""The command line: ``hear-brainsoundnet embed | merge | nearest | info | convert | ...``.

Errors are one line on standard error without a traceback. Exit status: 0 all well, 1 something
failed (for example, a file could not be read), 2 a usage error, 130 interrupted.
"""

from __future__ import annotations

import logging
import warnings
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import run_program
from hear_brainsoundnet.commands.checkpoint import convert, export_onnx, info
from hear_brainsoundnet.commands.embed import embed, merge
from hear_brainsoundnet.commands.options import PROGRAM
from hear_brainsoundnet.commands.predict import predict
from hear_brainsoundnet.commands.recognise import recognise
from hear_brainsoundnet.commands.similarity import explore, nearest

app = typer.Typer(
    name=PROGRAM,
    help="Brain-aligned SoundNet embeddings of audio files.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Brain-aligned SoundNet embeddings of audio files."""


for command in (
    embed, merge, nearest, explore, info, convert, export_onnx, predict, recognise,
):  # fmt: skip
    app.command()(command)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command and turns errors into one line and an exit status."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    # On files the warning becomes a finding, which names the file.
    warnings.filterwarnings("ignore", "audio reaches", UserWarning)
    run_program(app, PROGRAM, arguments)
