"""The command that measures, and the page."""

from __future__ import annotations

import shlex
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
    from benchmarks.few_labels.measure import EXAMPLES, SEED, measure, summary

    named = named_checkpoints(checkpoints)
    rows, overall = [], []
    for name, checkpoint in named.items():
        found = measure(checkpoint, tasks, data, work, n_draws=draws, n_permutations=permutations)
        *of_tasks, together = summary(name, found)
        rows += of_tasks
        overall.append({key: value for key, value in together.items() if key != "task"})
    words = [word for each in checkpoints for word in ("--checkpoint", each)]
    words += ["--permutations", str(permutations), "--draws", str(draws)]
    yield (
        "few-labels",
        {
            "title": "Accuracy with few examples, mean over tasks",
            "command": "python -m benchmarks few-labels run --data DATA --tasks TASKS "
            + shlex.join(words),
            "rows": overall,
            "tables": [{"title": "By task", "rows": rows}],
            "notes": [
                "Accuracy of a logistic regression with "
                f"{', '.join(map(str, EXAMPLES[:-1]))} and {EXAMPLES[-1]} examples of each class "
                f"(or as many as there are), mean over these numbers and {draws} draws.",
                f"p: one-sided rank among {permutations} permuted brains. Differences: 95 % "
                "interval by bootstrap over test clips (over speakers for digits by held-out "
                "speaker).",
                "Components of all subjects together: nothing is said about single subjects or "
                "about other brains.",
            ],
            "seeds": {"draws, permutations and bootstrap": [SEED]},
        },
    )
