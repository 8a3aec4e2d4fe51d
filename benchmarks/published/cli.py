"""The command line: ``python -m benchmarks.published encoding | hear | page``."""

from __future__ import annotations

import typer

from benchmarks.command_line import add_page, run_benchmark
from benchmarks.places import Committed, Data, Places, Results
from benchmarks.published.page import write_page
from benchmarks.results import write_result
from hear_brainsoundnet.command_line import new_app

PROGRAM = "python -m benchmarks.published"
PLACES = Places("published")

app = new_app(PROGRAM, "Published figures, recomputed from the authors' published tables.")


@app.command()
def encoding(data: Data, results: Results = None, committed: Committed = False) -> None:
    """Gains of fine-tuning from conv4 over the frozen baseline."""
    numbers = PLACES.results(results, committed)
    from benchmarks.published.encoding import run_encoding

    typer.echo(write_result(numbers, "encoding", run_encoding(data)))


@app.command()
def hear(data: Data, results: Results = None, committed: Committed = False) -> None:
    """HEAR scores of brain-aligned models, and their ranks on the leaderboard."""
    numbers = PLACES.results(results, committed)
    from benchmarks.published.hear import run_hear

    typer.echo(write_result(numbers, "hear", run_hear(data)))


add_page(app, PLACES, write_page)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors are one line and an exit status."""
    run_benchmark(app, PROGRAM, arguments)
