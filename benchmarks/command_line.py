"""Shared parts of the command lines of benchmarks: the command ``page``, and the entry point."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer

from benchmarks.places import Committed, Page, Places, Results
from hear_brainsoundnet.command_line import run_program


def add_page(app: typer.Typer, places: Places, write_page: Callable[[Path, Path], Path]) -> None:
    """Add the command ``page``.

    Parameters
    ----------
    app : Typer
    places : Places
        Where numbers and page are, unless the command line says otherwise.
    write_page : callable
        Takes the folder of the numbers and the page, and returns the page.
    """

    @app.command()
    def page(results: Results = None, committed: Committed = False, out: Page = None) -> None:
        """Write the results page and its plots from the stored numbers."""
        typer.echo(write_page(places.results(results, committed), places.page(out, committed)))


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
