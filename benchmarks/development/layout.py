"""Common properties of the tasks: name, rate, command."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.hear.tasks.scene_task import SceneTask
from training.corpus.corpus import SAMPLE_RATE

COMMAND = "python -m benchmarks development tasks"
SCENES, FRAMES = "tasks", "frames"  # folders of tasks
PREFIX, SUFFIX = "development_", "-1.0.0-full"


def task_name(what: str) -> str:
    """Name of a task's folder.

    Examples
    --------
    >>> task_name("kind")
    'development_kind-1.0.0-full'
    """
    return f"{PREFIX}{what}{SUFFIX}"


def short_name(name: str) -> str:
    """The argument of :func:`task_name`, or the name itself.

    Examples
    --------
    >>> short_name("development_kind-1.0.0-full"), short_name("esc10-1.0.0-full")
    ('kind', 'esc10-1.0.0-full')
    """
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX).removesuffix(SUFFIX)
    return name


def scene_task(what: str, splits: Sequence[str], seconds: float, about: str) -> SceneTask:
    """A task at the corpus rate, so that nothing is resampled."""
    return SceneTask(task_name(what), tuple(splits), seconds, COMMAND, about, SAMPLE_RATE)
