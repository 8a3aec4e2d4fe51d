"""The small spoken-digit task of HEAR, from an archive.

100 one-second clips of the Free Spoken Digit Dataset at 44.1 kHz in five folds
(HEAR 2021.0.6, CC BY-SA 4.0).
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from benchmarks.hear.tasks.task_writer import no_data

ARCHIVE = Path("audio/hear_open_small/hear-2021.0.6-spoken_digit-1.0.9-small-44100.tar.gz")
TASK_NAME = "spoken_digit-1.0.9-small"


def make_spoken_digit(data_folder: Path, tasks_folder: Path) -> Path:
    """Unpack the task from :data:`ARCHIVE`, unless it exists; returns its folder.

    Raises
    ------
    FileNotFoundError
        If the archive does not exist.
    ValueError
        If the archive is damaged, unsafe, or holds no such task.
    """
    task = tasks_folder / TASK_NAME
    if task.exists():
        return task
    archive = data_folder / ARCHIVE
    if not archive.is_file():
        raise no_data(f"no archive {archive}: expected the spoken-digit task of HEAR there")
    tasks_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tasks_folder, prefix=".unpack-") as temporary:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(temporary, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(
                f"{archive} cannot be unpacked ({error}); fetch the archive again"
            ) from error
        found = [
            path.parent
            for path in sorted(Path(temporary).rglob("task_metadata.json"))
            if PurePosixPath(path.parent).name == TASK_NAME
        ]
        if len(found) != 1:
            raise ValueError(
                f"{archive} holds {len(found)} folders {TASK_NAME} with a task_metadata.json, "
                "expected 1; fetch the archive again"
            )
        shutil.move(found[0], task)
    return task
