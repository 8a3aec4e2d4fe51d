"""The command line: ``python -m benchmarks.hear run | tasks | page | all``."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.hear.heareval_process import HearevalError
from benchmarks.hear.results import write_page
from benchmarks.hear.run import run_model
from benchmarks.hear.scores import format_table
from benchmarks.hear.suite import run_suite
from benchmarks.hear.tasks.onsets import make_onsets
from benchmarks.hear.tasks.spoken_digit import make_spoken_digit

PAGE = Path(__file__).with_name("results.md")

app = typer.Typer(
    help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
tasks_app = typer.Typer(help="Make task folders from recordings at hand.", no_args_is_help=True)
app.add_typer(tasks_app, name="tasks")

Data = Annotated[
    Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
]
Out = Annotated[Path, typer.Option(help="Folder for what is made.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds, from 42 upwards.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep heareval's checkpoints and logs.")]


@app.command()
def run(
    module: Annotated[str, typer.Argument(help="Module with the HEAR API.")],
    tasks: Annotated[Path, typer.Option(help="Folder of task folders.")],
    out: Out,
    checkpoint: Annotated[str, typer.Option(help="Weight file, or a name.")] = "",
    preset: Annotated[str, typer.Option(help="Short for --model-options with a preset.")] = "",
    model_options: Annotated[str, typer.Option(help="JSON with keywords for load_model.")] = "",
    task: Annotated[list[str] | None, typer.Option(help="Only this task; repeatable.")] = None,
    seeds: Seeds = 1,
    keep: Keep = False,
) -> None:
    """Run one model on tasks with the HEAR eval kit."""
    scores = run_model(
        module,
        tasks,
        out,
        checkpoint=checkpoint,
        options=parse_options(preset, model_options),
        task_names=task or (),
        n_seeds=seeds,
        keep=keep,
    )
    typer.echo(f"{format_table(scores)}\n\n{scores}")


@app.command()
def page(
    results: Annotated[Path, typer.Argument(help="Folder with scores.json files.")],
    out: Annotated[Path, typer.Option(help="The page; raw scores go beside it.")] = PAGE,
) -> None:
    """Write the results page, and the raw scores that it is made from."""
    typer.echo(write_page(results, out))


@app.command(name="all")
def everything(
    data: Data,
    out: Out,
    seeds: Seeds = 3,
    page: Annotated[Path, typer.Option(help="The page to write.")] = PAGE,
    keep: Keep = False,
) -> None:
    """Make the tasks, run all models on them, write the page."""
    typer.echo(run_suite(data, out, page, n_seeds=seeds, keep=keep))


@tasks_app.command("make-spoken-digit")
def spoken_digit(data: Data, out: Out) -> None:
    """Unpack the small spoken-digit task of HEAR."""
    typer.echo(make_spoken_digit(data, out))


@tasks_app.command("make-onsets")
def onsets(
    data: Data,
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Chooses sounds, times and levels.")] = 0,
) -> None:
    """Compose the onset task from ESC-10."""
    typer.echo(make_onsets(data, out, seed))


def parse_options(preset: str, model_options: str) -> dict[str, Any]:
    """Keywords for ``load_model`` from one of the two ways to write them.

    Raises
    ------
    ValueError
        If both are given, or the JSON is no object.
    """
    if preset and model_options:
        raise ValueError("--preset and --model-options were both given; write one of them")
    if not model_options:
        return {"preset": preset} if preset else {}
    try:
        options = json.loads(model_options)
    except ValueError as error:
        raise ValueError(
            f"--model-options {model_options!r} is not JSON ({error}); "
            'write for example \'{"preset": "paper"}\''
        ) from error
    if not isinstance(options, dict):
        raise ValueError(
            f"--model-options must be a JSON object, got {model_options!r}; "
            'write for example \'{"preset": "paper"}\''
        )
    return options


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what goes wrong is one line and an exit status, 2 for a wrong call."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        app(arguments)
    except (FileNotFoundError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    except (HearevalError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
