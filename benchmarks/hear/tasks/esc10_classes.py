"""ESC-10 (Piczak 2015): ten sound classes, in its own five folds."""

from __future__ import annotations

from pathlib import Path

from benchmarks.hear.tasks.esc10 import list_clips
from benchmarks.hear.tasks.scene_task import SceneTask, file_clip, make_scene_task
from benchmarks.hear.tasks.task_writer import fold_names

COMMAND = "python -m benchmarks hear tasks make-esc10"
FOLDS = fold_names(5)
TASK = SceneTask(
    name="esc10-1.0.0-full",
    splits=tuple(FOLDS),
    seconds=5.0,
    command=COMMAND,
    about="""
- Source: ESC-10 (K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM \
Multimedia 2015).
- Folds: the five that ESC-10 comes with; clips of one original recording are in one fold. fold00 \
is ESC-10's fold 1.
- Licence: CC BY 3.0; of the single recordings ESC-10's own README says more.""",
)


def make_esc10(data_folder: Path, tasks_folder: Path) -> Path:
    """Make the task from ``audio/esc10``, unless it exists; returns its folder.

    Raises
    ------
    FileNotFoundError
        If there are no recordings.
    """
    return make_scene_task(
        TASK,
        tasks_folder,
        lambda: [
            file_clip(clip.path, clip.category.lower().replace(" ", "_"), FOLDS[clip.fold - 1])
            for clip in list_clips(data_folder)
        ],
    )
