"""The command that measures, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.few_labels.page import PAGE
from benchmarks.program import Benchmark, Data, Named, named_checkpoints

benchmark = Benchmark("few-labels", PAGE.write)
app = benchmark.app


@benchmark.experiment
def run(
    checkpoints: Annotated[
        list[str], typer.Option("--checkpoint", help="NAME=FILE or NAME=name, repeatable.")
    ],
    data: Data,
    tasks: Annotated[Path, typer.Option(help="Folder of HEAR tasks.")],
    work: Annotated[Path, typer.Option(help="For embeddings.")] = Path("few-labels"),
    permutations: Annotated[int, typer.Option(min=1, help="Permuted brains.")] = 199,
    draws: Annotated[int, typer.Option(min=1, help="Draws of examples.")] = 10,
) -> Named:
    """Measure accuracy with few examples from brain components and their controls."""
    from benchmarks.few_labels.measure import few_labels_document

    named = named_checkpoints(checkpoints)
    yield (
        "few-labels",
        few_labels_document(named, tasks, data, work, n_draws=draws, n_permutations=permutations),
    )
