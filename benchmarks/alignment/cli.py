"""The commands that measure, and the page."""

from __future__ import annotations

import shlex
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
    from benchmarks.alignment import natural_sounds as sounds

    rows, of_stages, settings, scores = [], [], {}, {}
    for name, checkpoint in named_checkpoints(checkpoints).items():
        outcome = sounds.measure(
            *(checkpoint, data, work),
            n_permutations=permutations,
            n_seeds=seeds,
            n_workers=workers,
        )
        rows.append(sounds.row(name, outcome))
        of_stages += sounds.stage_rows(name, outcome)
        settings[name] = [f"{each.learning_rate:g} x {each.n_epochs}" for each in outcome.settings]
        before, brain, permuted = outcome.scores(sounds.TOGETHER)
        scores[name] = {"before": before, "brain": brain, "permuted": permuted.tolist()}
    words = [word for each in checkpoints for word in ("--checkpoint", each)]
    words += ["--permutations", str(permutations), "--seeds", str(seeds)]
    yield (
        "natural-sounds",
        {
            "title": "Responses to held-out sounds",
            "command": "python -m benchmarks alignment natural-sounds --data DATA "
            + shlex.join(words),
            "rows": rows,
            "tables": [{"title": "By stage: described, not tested", "rows": of_stages}],
            "notes": [
                "R² of six response components to 165 sounds, each predicted out of fold (five), "
                "mean over components; ridge on mean and standard deviation of conv4 to conv7.",
                f"p: one-sided rank of the brain (seed 0) among {permutations} brains with "
                "responses permuted within categories, as many epochs. Brain - before: 95 % "
                "interval by bootstrap over sounds.",
                "Components of all subjects together: nothing is said about other brains.",
            ],
            "seeds": {"fits of the brain": list(range(seeds)), "folds, bootstrap": [sounds.SEED]},
            "settings": {"learning rate x epochs, by fold": settings},
            "details": {"scores": scores},
        },
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
    from benchmarks.alignment import tasks as of_tasks

    setting, found = of_tasks.measure(
        *(checkpoint, tasks, data, work), n_seeds=seeds, n_workers=workers
    )
    names = [task.name for task in of_tasks.tasks_of(tasks)]
    accuracies = {
        f"{name}, {clips}": {
            "before": float(found["before"][0, number, place]),
            **{kind: found[kind][:, number, place].tolist() for kind in of_tasks.KINDS},
        }
        for place, clips in enumerate((of_tasks.ALL, of_tasks.FEW))
        for number, name in enumerate(names)
    }
    yield (
        "tasks",
        {
            "title": f"Classification by {checkpoint} before and after alignment",
            "command": "python -m benchmarks alignment tasks --data DATA --tasks TASKS "
            f"--checkpoint {checkpoint} --seeds {seeds}",
            "rows": of_tasks.rows(found, names),
            "notes": [
                "Accuracy of a logistic regression on mean and standard deviation of conv4 to "
                f"conv7; mean ± standard deviation over {seeds} networks, each with its own seed "
                "and permutation (within categories). p: exact permutation test over networks. "
                "Brain - before: Student's 95 % interval over seeds. Freely permuted: among all "
                "sounds; added after the other results were known, and described, not tested.",
                "Digits: every fifth clip. Few examples: mean over 1, 2, 5, 10 and 20 of each "
                "class, or as many as there are.",
            ],
            "seeds": {"fits": list(range(seeds)), "draws of examples": [0]},
            "settings": {
                "learning rate x epochs": f"{setting.learning_rate:g} x {setting.n_epochs}"
            },
            "details": {"accuracies": accuracies},
        },
    )
