"""All that the results page shows, by one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.hear.few_shot import run_few_shot
from benchmarks.hear.results import write_page_of
from benchmarks.hear.run import run_model
from benchmarks.hear.tasks.esc10_classes import make_esc10
from benchmarks.hear.tasks.onsets import make_onsets
from benchmarks.hear.tasks.spoken_digit import make_spoken_digit

FEW_EXAMPLES = (1, 5, 10, 30)  # ESC-10 has 32 of each class outside the tested fold
MODELS: Sequence[tuple[str, dict[str, Any]]] = (
    ("hear_brainsoundnet", {"preset": "paper"}),
    ("hear_brainsoundnet", {"preset": "default"}),
    ("benchmarks.hear.logmel", {}),
)


def run_suite(
    data_folder: Path, out: Path, page: Path, *, n_seeds: int = 3, keep: bool = False
) -> Path:
    """Make the tasks, run every model of :data:`MODELS` on them, write the page.

    Parameters
    ----------
    data_folder : Path
        The real recordings.
    out : Path
        Tasks go to ``out/tasks``, results to ``out/results``; what is there is not made again.
    page : Path
        The page to write; see :func:`benchmarks.hear.results.write_page`.
    n_seeds, keep
        See :func:`benchmarks.hear.run.run_model`.

    Returns
    -------
    Path
        The page.
    """
    tasks = out / "tasks"
    names = [make_spoken_digit(data_folder, tasks).name, make_onsets(data_folder, tasks).name]
    collected = [
        run_model(
            module,
            tasks,
            out / "results",
            options=options,
            task_names=names,
            n_seeds=n_seeds,
            keep=keep,
        )
        for module, options in MODELS
    ]
    few_shot = [
        run_few_shot(
            module,
            tasks,
            out / "results",
            options=options,
            task_names=[make_esc10(data_folder, tasks).name],
            examples=FEW_EXAMPLES,
        )
        for module, options in MODELS
    ]
    return write_page_of(collected, few_shot, page)
