"""Complete content of the results page, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.hear.few_shot import run_few_shot
from benchmarks.hear.page import write_page_of
from benchmarks.hear.run import run_model
from benchmarks.hear.tasks.esc10 import make_esc10
from benchmarks.hear.tasks.onsets import make_onsets
from benchmarks.hear.tasks.spoken_digit import make_spoken_digit

FEW_EXAMPLES = (1, 5, 10, 30)  # ESC-10 has 32 of each class outside the tested fold
PLUGIN = "hear_brainsoundnet"


class Contender(NamedTuple):
    """A module with the HEAR API, its checkpoint, and keywords for its ``load_model``."""

    module: str
    checkpoint: str = ""
    options: Mapping[str, Any] = MappingProxyType({})


MODELS = (
    Contender(PLUGIN, options={"preset": "default"}),
    Contender(PLUGIN, options={"preset": "paper"}),
    Contender(PLUGIN, "pretrained"),
    Contender(PLUGIN, "untrained"),
    Contender("benchmarks.hear.logmel"),
    Contender("benchmarks.hear.modulation_spectrum"),
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
        Tasks are written to ``out/tasks``, results to ``out/results``; existing ones are reused.
    page : Path
        The page to write; see :func:`benchmarks.hear.page.write_page`.
    n_seeds, keep
        See :func:`benchmarks.hear.run.run_model`.

    Returns
    -------
    Path
        The page.
    """
    tasks = out / "tasks"
    esc10 = make_esc10(data_folder, tasks).name
    names = [make_spoken_digit(data_folder, tasks).name, make_onsets(data_folder, tasks).name]
    collected, few_shot = [], []
    for model in MODELS:
        common = (model.module, tasks, out / "results")
        given: dict[str, Any] = {"checkpoint": model.checkpoint, "options": model.options}
        chosen = [*names, esc10]
        collected.append(run_model(*common, **given, task_names=chosen, n_seeds=n_seeds, keep=keep))
        few_shot.append(run_few_shot(*common, **given, task_names=[esc10], examples=FEW_EXAMPLES))
    return write_page_of(collected, few_shot, page)
