"""Making HEAR tasks, running models on them, comparing them, and the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.hear.compare import write_comparison
from benchmarks.hear.few_shot import DRAWS, EXAMPLES, run_few_shot
from benchmarks.hear.page import write_page, write_page_of
from benchmarks.hear.run import run_model
from benchmarks.hear.scores import format_table
from benchmarks.hear.tasks.esc10 import make_esc10
from benchmarks.hear.tasks.fsdd import Folds, Label, make_fsdd
from benchmarks.hear.tasks.natsound165_categories import make_natsound165
from benchmarks.hear.tasks.onsets import make_onsets
from benchmarks.hear.tasks.speech_commands import make_speech_commands
from benchmarks.hear.tasks.spoken_digit import make_spoken_digit
from benchmarks.program import Benchmark, Committed, Data, Page
from hear_brainsoundnet.command_line import WrongCall

benchmark = Benchmark("hear")
app = benchmark.app
tasks_app = typer.Typer(help="Make task folders from recordings at hand.", no_args_is_help=True)
app.add_typer(tasks_app, name="tasks")

PLUGIN = "hear_brainsoundnet"
# Of the results page: module, checkpoint, keywords for its load_model.
MODELS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (PLUGIN, "", {"preset": "default"}),
    (PLUGIN, "", {"preset": "paper"}),
    (PLUGIN, "pretrained", {}),
    (PLUGIN, "untrained", {}),
    ("benchmarks.hear.logmel", "", {}),
    ("benchmarks.hear.modulation_spectrum", "", {}),
)
FEW_EXAMPLES = (1, 5, 10, 30)  # ESC-10 has 32 of each class outside the tested fold

Module = Annotated[str, typer.Argument(help="Module with the HEAR API.")]
Tasks = Annotated[Path, typer.Option(help="Folder of task folders, or of unpacked archives.")]
Checkpoint = Annotated[str, typer.Option(help="Weight file, or a name.")]
Preset = Annotated[str, typer.Option(help="Short for --model-options with a preset.")]
ModelOptions = Annotated[str, typer.Option(help="JSON with keywords for load_model.")]
OnlyTasks = Annotated[list[str] | None, typer.Option(help="Only this task; repeatable.")]
Out = Annotated[Path, typer.Option(help="Output folder.")]
Seeds = Annotated[int, typer.Option(min=1, help="Number of seeds, from 42 upwards.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep heareval's checkpoints and logs.")]


@app.command()
def run(
    module: Module,
    tasks: Tasks,
    out: Out,
    checkpoint: Checkpoint = "",
    preset: Preset = "",
    model_options: ModelOptions = "",
    task: OnlyTasks = None,
    seeds: Seeds = 5,
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


@app.command(name="few-shot")
def few_shot(
    module: Module,
    tasks: Tasks,
    out: Out,
    checkpoint: Checkpoint = "",
    preset: Preset = "",
    model_options: ModelOptions = "",
    task: OnlyTasks = None,
    examples: Annotated[
        str,
        typer.Option(
            help="Numbers of examples of each class, comma-separated; limited by the smallest "
            "class."
        ),
    ] = ",".join(map(str, EXAMPLES)),
    draws: Annotated[int, typer.Option(min=1, help="Number of draws of examples.")] = DRAWS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
) -> None:
    """Run one model on scene tasks with few examples of each class."""
    path = run_few_shot(
        module,
        tasks,
        out,
        checkpoint=checkpoint,
        options=parse_options(preset, model_options),
        task_names=task or (),
        examples=parse_examples(examples),
        n_draws=draws,
        seed=seed,
    )
    typer.echo(path)


@app.command()
def compare(
    results: Annotated[
        list[Path], typer.Argument(help="Output folders of run, or folders of raw scores.")
    ],
    leaderboard: Annotated[Path, typer.Option(help="csv file: Model, and a column for each task.")],
    out: Annotated[
        Path,
        typer.Option(help="The page, PAGE or PAGE.md; plots and numbers are written beside it."),
    ],
    baseline: Annotated[
        str,
        typer.Option(help="The model without alignment, by name or hash; by default the first."),
    ] = "",
) -> None:
    """Compare models with each other and with published ones."""
    typer.echo(write_comparison(results, leaderboard, out, baseline))


@app.command()
def page(
    results: Annotated[Path, typer.Argument(help="Folder with scores.json files.")],
    out: Page = None,
    committed: Committed = False,
) -> None:
    """Write the results page, and its raw scores beside it."""
    typer.echo(write_page(results, benchmark.page(out, committed)))


@app.command(name="all")
def everything(
    data: Data,
    out: Out,
    seeds: Seeds = 3,
    page: Annotated[
        Path | None, typer.Option(help="The page to write; by default OUT/page.md.")
    ] = None,
    committed: Committed = False,
    keep: Keep = False,
) -> None:
    """Make the tasks, run all models on them, write the page."""
    written = benchmark.page(page, committed) if page or committed else out / "page.md"
    tasks = out / "tasks"
    esc10 = make_esc10(data, tasks).name
    names = [make_spoken_digit(data, tasks).name, make_onsets(data, tasks).name, esc10]
    collected, few = [], []
    for module, checkpoint, options in MODELS:
        common = (module, tasks, out / "results")
        model: dict[str, Any] = {"checkpoint": checkpoint, "options": options}
        collected.append(run_model(*common, **model, task_names=names, n_seeds=seeds, keep=keep))
        few.append(run_few_shot(*common, **model, task_names=[esc10], examples=FEW_EXAMPLES))
    typer.echo(write_page_of(collected, few, written))


def add_task(name: str, make: Callable[[Path, Path], Path], help_text: str) -> None:
    """A command that makes a task from the data."""

    def command(data: Data, out: Out) -> None:
        typer.echo(make(data, out))

    tasks_app.command(name, help=help_text)(command)


def add_drawn_task(name: str, make: Callable[[Path, Path, int], Path], help_text: str) -> None:
    """A command that makes a task with a seed."""

    def command(
        data: Data,
        out: Out,
        seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 0,
    ) -> None:
        typer.echo(make(data, out, seed))

    tasks_app.command(name, help=help_text)(command)


add_task("make-spoken-digit", make_spoken_digit, "Unpack the small spoken-digit task of HEAR.")
add_task("make-esc10", make_esc10, "The ten classes of ESC-10, in its own five folds.")
add_task("make-speech-commands", make_speech_commands, "A small part of Speech Commands.")
add_drawn_task("make-onsets", make_onsets, "Compose the onset task from ESC-10.")
add_drawn_task("make-natsound165", make_natsound165, "Categories of 165 natural sounds.")


@tasks_app.command("make-fsdd")
def fsdd(
    data: Data,
    out: Out,
    label: Annotated[Label, typer.Option(help="Target of the classification.")] = "digit",
    folds: Annotated[Folds, typer.Option(help="What differs between folds.")] = "speaker",
) -> None:
    """Spoken digits or their speakers, from the Free Spoken Digit Dataset."""
    typer.echo(make_fsdd(data, out, label, folds))


def parse_examples(text: str) -> list[int]:
    """Numbers from a comma-separated list.

    Raises
    ------
    WrongCall
        If it contains anything else.

    Examples
    --------
    >>> parse_examples("1,5,10")
    [1, 5, 10]
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise WrongCall(f"--examples must be numbers with commas, such as 1,5,10; got {text!r}")
    return [int(part) for part in parts]


def parse_options(preset: str, model_options: str) -> dict[str, Any]:
    """Keywords for ``load_model`` from either option.

    Raises
    ------
    WrongCall
        If both are given, or the JSON is not an object.
    """
    if preset and model_options:
        raise WrongCall("--preset and --model-options were both given; write one of them")
    if not model_options:
        return {"preset": preset} if preset else {}
    try:
        options = json.loads(model_options)
    except ValueError as error:
        raise WrongCall(
            f"--model-options {model_options!r} is not JSON ({error}); "
            'write for example \'{"preset": "paper"}\''
        ) from error
    if not isinstance(options, dict):
        raise WrongCall(
            f"--model-options must be a JSON object, got {model_options!r}; "
            'write for example \'{"preset": "paper"}\''
        )
    return options
