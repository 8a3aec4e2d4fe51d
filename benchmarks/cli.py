"""The one command line of all benchmarks.

The commands of a benchmark are in ``benchmarks/NAME/cli.py``, which is imported only when it is
called. Errors are one line on standard error; exit status: 0 success, 1 failure, 2 usage error, 130
interrupted.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import NoReturn

import typer

from hear_brainsoundnet.command_line import new_app, run_program

PROGRAM = "python -m benchmarks"
BENCHMARKS = {
    "demo": "Nearest sounds; a simulated study.",
    "hear": "HEAR tasks by the HEAR eval kit, and ranks.",
    "correspondence": "Stages of networks against auditory cortex.",
    "encoding": "Predicted responses to held-out sounds.",
    "calibration": "Whether p values and intervals are right.",
    "published": "Published figures from the authors' tables.",
    "speed": "Speed and memory against plain code.",
    "alignment": "Whether alignment with a brain makes the network better.",
    "few-labels": "Six brain components where labels are few.",
    "development": "Tasks for choosing presets and recipes.",
    "default-checkpoint": "Making and measuring the default.",
}


def app_of(name: str) -> typer.Typer:
    """The commands of one benchmark."""
    app: typer.Typer = import_module(f"benchmarks.{name.replace('-', '_')}.cli").app
    return app


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command, logging progress to standard error."""
    words = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    if words and words[0] in BENCHMARKS:
        run_program(app_of(words[0]), f"{PROGRAM} {words[0]}", words[1:])
    overview = new_app(PROGRAM, "What the embeddings and the software are worth, measured.")
    for name, text in BENCHMARKS.items():
        overview.command(name, help=text)(lambda: None)
    run_program(overview, PROGRAM, words)
