"""The commands that measure, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.alignment.page import PAGE
from benchmarks.program import Benchmark, Data, Named, named_checkpoints

benchmark = Benchmark("alignment", PAGE.write)
app = benchmark.app

Work = Annotated[Path, typer.Option(help="For frames and fits; finished ones are reused.")]
Permutations = Annotated[int, typer.Option(min=1, help="Permuted brains.")]
Seeds = Annotated[int, typer.Option(min=2, help="Seeds of the brain's fits.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes.")]


@benchmark.experiment
def natural_sounds(
    checkpoints: Annotated[
        list[str], typer.Option("--checkpoint", help="NAME=FILE or NAME=name, repeatable.")
    ],
    data: Data,
    work: Work = Path("alignment"),
    permutations: Permutations = 199,
    seeds: Seeds = 10,
    workers: Workers = 2,
) -> Named:
    """Measure responses to held-out sounds after alignment, and after that with permuted brains."""
    from benchmarks.alignment.natural_sounds import natural_sounds_document

    yield (
        "natural-sounds",
        natural_sounds_document(
            *(named_checkpoints(checkpoints), data, work),
            n_permutations=permutations,
            n_seeds=seeds,
            n_workers=workers,
        ),
    )


@benchmark.experiment
def tasks(
    data: Data,
    tasks: Annotated[Path, typer.Option(help="Folder of HEAR tasks.")],
    checkpoint: Annotated[str, typer.Option(help="A name or file.")] = "soundnet",
    work: Work = Path("alignment"),
    seeds: Seeds = 10,
    workers: Workers = 2,
) -> Named:
    """Measure classification before and after alignment with all sounds."""
    from benchmarks.alignment.tasks import tasks_document

    yield (
        "tasks",
        tasks_document(checkpoint, tasks, data, work, n_seeds=seeds, n_workers=workers),
    )
