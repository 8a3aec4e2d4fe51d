"""Preparation of an output folder for a result."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel

from hear_brainsoundnet.files import sweep
from hear_brainsoundnet.lock import contents
from training.data.prepared_files import TARGETS_IMAGES
from training.evaluation.folders import INFO_FILES, MODELS_FOLDER, PREDICTIONS_FILE

TABLES = ("scores", "targets", "runs")
OWN_FILES = {
    *INFO_FILES.values(),
    *(f"{table}.{ending}" for table in TABLES for ending in ("parquet", "csv")),
    *TARGETS_IMAGES,
    PREDICTIONS_FILE,
}


def begin_folder(folder: Path, kind: type[BaseModel]) -> None:
    """Prepare a folder; files of an interrupted command are removed.

    Parameters
    ----------
    folder : Path
        Need not exist.
    kind : type
        Kind of result: a key of ``INFO_FILES``.

    Raises
    ------
    FileExistsError
        If it holds a result, or anything not left by an interrupted command.
    """
    there = contents(folder)
    for each in there:
        if each.name in INFO_FILES.values():
            raise FileExistsError(
                f"{folder} already holds a complete {each.stem}; give another --out, or remove it"
            )
    foreign = [each.name for each in there if not _is_own(each)]
    if foreign:
        raise FileExistsError(
            f"{folder} is not empty and holds no unfinished {Path(INFO_FILES[kind]).stem} "
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
    """Whether a file belongs to a result, complete or temporary."""
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file()]
        return path.name == MODELS_FOLDER and all(
            each.name.endswith((".yaml", ".csv", ".tmp")) for each in files
        )
    return path.name in OWN_FILES
