"""The command line: ``python -m training COMMAND``; the commands are in :mod:`training.commands`.

Errors are one line on standard error without a traceback. Exit status: 0 success, 1 failure, 2
usage error, 130 interrupted.
"""

from __future__ import annotations

import logging
from typing import Any

from hear_brainsoundnet.command_line import new_app, run_program
from training.commands import corpus, data, evaluation, models, pretraining, reporting, teaching
from training.commands.options import PROGRAM

app = new_app(PROGRAM, "From fMRI and audio to checkpoints, and their evaluation.")

app.command()(data.simulate)
app.command()(data.prepare)
app.command()(data.merge)
app.command()(teaching.teach)
app.command()(pretraining.pretrain)
app.command()(models.fit)
app.command()(models.export)
app.command("map")(models.map_)
app.command()(models.average)
app.command()(models.untrained)
app.command()(evaluation.evaluate)
app.command()(evaluation.compare)
app.command()(reporting.partition)
app.command()(reporting.report)
app.add_typer(corpus.app)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: runs the command and turns errors into one line and an exit status."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    run_program(app, PROGRAM, arguments)
