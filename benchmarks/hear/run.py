"""Evaluation of a model on HEAR tasks with heareval, resumable.

::

    OUT/<module>/<weights>-<options>/scores.json                    all scores of this model
                                     validation.log                 of the HEAR validator, once
                                     embeddings/                    heareval's, once per task
                                     seed-42/<task>/score.json      one finished run
                                     seed-42/<task>/heareval/       heareval's files, while it runs
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.hear.embedding_check import check_clip_embeddings
from benchmarks.hear.heareval_process import OFFICIAL_SEED, check_tools, run_heareval
from benchmarks.hear.leaderboard import OFFICIAL_TASKS, missing_tasks
from benchmarks.hear.model_identity import ModelIdentity, model_for
from benchmarks.hear.scores import (
    FORMAT_VERSION,
    LEAF,
    collect,
    read_heareval_scores,
    read_json,
    write_json,
)
from benchmarks.hear.task_folder import TaskFolder, find_tasks

logger = logging.getLogger(__name__)

DISTRIBUTIONS = (
    "heareval",
    "numpy",
    "pytorch-lightning",
    "scikit-learn",
    "sed_eval",
    "torch",
    "torchaudio",
    "torchmetrics",
)


def run_model(
    module: str,
    tasks_folder: Path,
    out: Path,
    *,
    checkpoint: str = "",
    options: Mapping[str, Any] | None = None,
    task_names: Iterable[str] = (),
    n_seeds: int = 1,
    keep: bool = False,
    progress: bool = True,
    with_validator: bool = True,
) -> Path:
    """Validate the model, embed the tasks once, predict once per seed, collect the scores.

    Finished work is skipped: a task and seed with scores, and the embeddings of a task, unless the
    task has changed.

    Parameters
    ----------
    module : str
        Import name of a module with the HEAR API.
    tasks_folder, out : Path
        Folders of the tasks and of the results.
    checkpoint : str
        Weight file, or a name known to the module; "" for its default.
    options : mapping, optional
        Keywords for ``load_model``. A module with a `sample_rate` keyword gets that of the tasks by
        default.
    task_names : iterable of str
        Names of task folders; none for all.
    n_seeds : int
        Number of seeds, from 42 (heareval's own) upwards.
    keep : bool
        Keep heareval's Lightning checkpoints, logs and predictions.
    progress : bool
        Show a progress bar.
    with_validator : bool
        Run the HEAR validator first (ten seconds, once for each model).

    Returns
    -------
    Path
        The model's ``scores.json``.

    Raises
    ------
    FileNotFoundError, ValueError
        If tasks, model or options are invalid; raised before any computation.
    HearevalError
        If the HEAR tools are not installed, or fail.
    """
    if n_seeds < 1:
        raise ValueError(f"the number of seeds must be at least 1, got {n_seeds}")
    tasks = find_tasks(tasks_folder, task_names)
    model = model_for(tasks, module, checkpoint, options)
    check_tools()
    folder = out / model.folder
    logger.info("%s, weights %s: %s", model.label, model.checkpoint, folder)
    absent = missing_tasks([task.name for task in tasks])
    if len(absent) < len(OFFICIAL_TASKS):
        logger.info("HEAR tasks that are not run: %s", ", ".join(absent) or "none")
    if with_validator:
        validate(model, folder)
    seeds = range(OFFICIAL_SEED, OFFICIAL_SEED + n_seeds)
    steps = [(task, seed) for task in tasks for seed in seeds]
    for task, seed in tqdm(steps, desc=model.label, unit="run", disable=not progress):
        predict(model, task, folder, seed, keep=keep)
    return collect(folder, model.as_dict())


def validate(model: ModelIdentity, folder: Path) -> None:
    """Run the HEAR validator, unless this model has already passed it.

    Raises
    ------
    HearevalError
        If the model does not pass.
    """
    passed = folder / "validation.log"
    if passed.exists():
        return
    log = folder / "validation-failed.log"
    arguments = [model.module, model.weights_file, json.dumps(dict(model.options))]
    run_heareval("validation", arguments, log=log)
    log.replace(passed)


def predict(
    model: ModelIdentity, task: TaskFolder, folder: Path, seed: int, *, keep: bool = False
) -> Path:
    """Scores of one task with one seed; returns the ``score.json``, new or existing."""
    result = folder / f"seed-{seed}" / task.name / LEAF
    task_hash = task.content_hash()
    if result.exists() and read_json(result)["task_hash"] == task_hash:
        return result
    embeddings = embed(model, task, folder)
    shutil.rmtree(result.parent, ignore_errors=True)
    workplace = result.parent / "heareval"
    workplace.mkdir(parents=True)
    # heareval writes beside the embeddings; links give each seed a separate folder.
    for path in embeddings.iterdir():
        if path.is_file():
            (workplace / path.name).symlink_to(path.resolve())
    began = time.monotonic()
    run_heareval("predictions", [str(workplace)], log=workplace / "output.log", seed=seed)
    scores = read_heareval_scores(workplace / "test.predicted-scores.json", task.evaluation)
    document = {
        "format_version": FORMAT_VERSION,
        "task": task.name,
        "task_hash": task_hash,
        "seed": seed,
        "evaluation": task.evaluation,
        "train_seconds": task.train_seconds,
        "versions": {name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        **scores,
    }
    write_json(result, document)
    if not keep:
        shutil.rmtree(workplace)
    logger.info("%s, seed %d: %.0f s", task.name, seed, time.monotonic() - began)
    return result


def embed(model: ModelIdentity, task: TaskFolder, folder: Path) -> Path:
    """Folder of the task's embeddings, computed unless cached for this task."""
    embeddings = folder / "embeddings"
    marker = embeddings / f"{task.name}.task_hash"
    task_hash = task.content_hash()
    found = list(embeddings.glob(f"*/{task.name}/.done.embeddings"))
    if found and marker.exists() and marker.read_text() == task_hash:
        return found[0].parent
    for path in embeddings.glob(f"*/{task.name}"):
        shutil.rmtree(path)
    arguments = ["--tasks-dir", str(task.path.parent), "--task", task.name]
    arguments += ["--embeddings-dir", str(embeddings)]
    began = time.monotonic()
    run_heareval(
        "embeddings",
        [model.module, *arguments, *model.heareval_options()],
        log=embeddings / f"{task.name}.log",
    )
    (done,) = embeddings.glob(f"*/{task.name}/.done.embeddings")
    check_clip_embeddings(done.parent, task.metadata["splits"], task.name)
    marker.write_text(task_hash)
    logger.info("%s, embeddings: %.0f s", task.name, time.monotonic() - began)
    return done.parent
