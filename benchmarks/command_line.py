"""Running the command line of a benchmark."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

import typer

from hear_brainsoundnet.command_line import run_program


def run_benchmark(app: typer.Typer, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run a command; it tells how far it is, and what goes wrong is one line and an exit status.

    Parameters
    ----------
    app : Typer
    program : str
        ``python -m`` and the benchmark's package.
    arguments : list of str, optional
        Those of the process by default.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger(program.split()[-1]).setLevel(logging.INFO)
    run_program(app, program, arguments)
