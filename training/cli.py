"""The command line: ``python -m training COMMAND``; the commands are in :mod:`training.commands`.

Errors are one line on standard error without a traceback. Exit status: 0 success, 1 failure, 2
usage error, 130 interrupted.
"""

from __future__ import annotations

import logging
from typing import Any

from hear_brainsoundnet.command_line import new_app, run_program
from training.commands import corpus, data, evaluation, models, pretraining, sweep
from training.commands.options import PROGRAM, with_settings

app = new_app(PROGRAM, "From fMRI and audio to checkpoints, and their evaluation.")

SIMULATE = with_settings("training.simulation.settings:SimulationSettings")
PREPARE = with_settings("training.prepare.preparation:PrepareRecipe")
PRETRAIN = with_settings("training.pretraining.recipe:PretrainRecipe")
FIT = with_settings("training.fitting.recipe:FitRecipe")
MAP = with_settings("training.maps.fit_maps:MapSettings")
EVALUATE = with_settings("training.evaluation.settings:EvaluationSettings")
COMPARE = with_settings("training.evaluation.compare:ComparisonSettings")
PARTITION = with_settings("training.partition.settings:PartitionSettings")

app.command(cls=SIMULATE)(data.simulate)
app.command(cls=PREPARE)(data.prepare)
app.command()(data.merge)
app.command()(pretraining.teach)
app.command(cls=PRETRAIN)(pretraining.pretrain)
app.command(cls=FIT)(models.fit)
app.command(cls=FIT)(sweep.sweep)
app.command("sweep-best")(sweep.sweep_best)
app.command()(models.export)
app.command("map", cls=MAP)(models.map_)
app.command()(models.average)
app.command()(models.untrained)
app.command(cls=EVALUATE)(evaluation.evaluate)
app.command(cls=COMPARE)(evaluation.compare)
app.command(cls=PARTITION)(evaluation.partition)
app.command()(evaluation.report)
app.command()(evaluation.submission)
app.add_typer(corpus.app)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: runs the command and turns errors into one line and an exit status."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    run_program(app, PROGRAM, arguments)
