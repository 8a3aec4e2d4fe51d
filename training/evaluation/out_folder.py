"""Taking possession of a folder to write a result into."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel

from hear_brainsoundnet.files import sweep
from hear_brainsoundnet.lock import contents
from training.evaluation.folders import IMAGE_FILE, INFO_FILES, MODELS_FOLDER, PREDICTIONS_FILE

TABLES = ("scores", "targets", "runs")
OWN_FILES = {
    *INFO_FILES.values(),
    *(f"{table}.{ending}" for table in TABLES for ending in ("parquet", "csv")),
    IMAGE_FILE,
    PREDICTIONS_FILE,
}


def begin_folder(folder: Path, kind: type[BaseModel]) -> None:
    """Make a folder ready; what an interrupted command left there is removed.

    Parameters
    ----------
    folder : Path
        Need not exist.
    kind : type
        What is to be written: a key of ``INFO_FILES``.

    Raises
    ------
    FileExistsError
        If it holds a result, or anything that no interrupted command left.
    """
    there = contents(folder)
    for each in there:
        if each.name in INFO_FILES.values():
            raise FileExistsError(
                f"{folder} holds a whole {each.stem} already; give another --out, or remove it"
            )
    foreign = [each.name for each in there if not _is_own(each)]
    if foreign:
        raise FileExistsError(
            f"{folder} is not empty and holds no half-written {Path(INFO_FILES[kind]).stem} "
            f"(it has {', '.join(foreign[:3])}); give another --out"
        )
    for each in there:
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()
    sweep(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _is_own(path: Path) -> bool:
    """A file of a result, whole or on its way."""
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file()]
        return path.name == MODELS_FOLDER and all(
            each.name.endswith((".yaml", ".csv", ".tmp")) for each in files
        )
    return path.name in OWN_FILES
