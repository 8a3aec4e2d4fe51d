"""Entry point of a benchmark's command line."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

import typer

from hear_brainsoundnet.command_line import run_program


def run_benchmark(app: typer.Typer, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run a command, logging progress; errors are one line and an exit status.

    Parameters
    ----------
    app : Typer
    program : str
        ``python -m`` followed by the benchmark's package.
    arguments : list of str, optional
        By default those of the process.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger(program.split()[-1]).setLevel(logging.INFO)
    run_program(app, program, arguments)
