"""A sweep: its folder, its jobs, its table.

OUT/
    config.yaml   recipe and grid
    fits/         an ordinary fit folder for each combination, numbered as in the table
    sweep.csv     settings, state and validation scores of each combination
    sweep.png     validation R² against each setting
    jobs/         logs and pickles of submitit
    jobs.json     ids of jobs in a cluster's queue, by fit
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import submitit

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from training.fitting.export import export
from training.progress import bar
from training.recipe_folder import RecipeFolder
from training.sweep.grid import Combination, SweepSettings, in_words
from training.sweep.jobs import (
    Ended,
    FitJob,
    Resources,
    in_queue,
    run_locally,
    submit_to_slurm,
    wait_for_slurm,
)
from training.sweep.results import Row, best_rows, draw_sweep, is_done, read_rows, write_table

logger = logging.getLogger(__name__)

FITS, JOBS, JOB_IDS = "fits", "jobs", "jobs.json"
TABLE, PICTURE = "sweep.csv", "sweep.png"


class SweepFolder(RecipeFolder[SweepSettings]):
    """The files of a sweep."""

    what = "sweep"

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, SweepSettings)

    def fits(self) -> dict[Path, Combination]:
        """Folder and settings of each fit."""
        combinations = self.recipe().combinations()
        width = len(str(len(combinations)))
        names = (f"{number:0{width}}" for number in range(1, len(combinations) + 1))
        return {
            self.path / FITS / name: each for name, each in zip(names, combinations, strict=True)
        }


@one_job_per_folder()
def sweep(settings: SweepSettings, out: str | Path, *, on: str, resources: Resources) -> list[Row]:
    """Fit every combination that is not fitted yet.

    Parameters
    ----------
    settings : SweepSettings
        Recipe and grid.
    out : path-like
        Folder of the sweep.
    on : str
        {"local", "slurm"}. Jobs of a cluster stay in its queue if this function is interrupted;
        called again, it waits for them.
    resources : Resources
        Of the jobs.

    Returns
    -------
    list of Row
        One per combination.

    Raises
    ------
    ValueError
        If the grid is not valid, or `out` holds another sweep.
    """
    recipes = settings.fits()
    folder = SweepFolder(out)
    folder.begin(settings, resume=True)
    fits = folder.fits()
    jobs = {
        fit.name: FitJob(recipe, fit.resolve())
        for fit, recipe in zip(fits, recipes, strict=True)
        if not is_done(fit)
    }
    reasons: dict[str, str] = {}

    def write(queued: set[str]) -> list[Row]:
        rows = read_rows(fits, reasons, queued)
        write_table(folder.path / TABLE, rows)
        write_atomically(folder.path / PICTURE, draw_sweep(rows))
        return rows

    write(set())
    ended = (_on_slurm if on == "slurm" else _on_this_machine)(jobs, folder.path, resources)
    queued = set(jobs)
    write(queued)
    try:
        with bar(total=len(fits), initial=len(fits) - len(jobs), unit="fit") as shown:
            for name, reason in ended:
                queued.discard(name)
                reasons[name] = reason
                write(queued)
                shown.update()
                if reason:
                    words = in_words(fits[folder.path / FITS / name])
                    logger.warning("fit %s (%s) failed: %s", name, words, reason)
    finally:
        ended.close()
        rows = write(queued if on == "slurm" else set())
    return rows


def export_best(
    folder: str | Path, out: str | Path, wanted: Combination, *, name: str = ""
) -> tuple[Row, str]:
    """Export the fit with the highest validation R²; returns its row and the checkpoint's hash.

    Parameters
    ----------
    folder, out : path-like
        Folder of a sweep, and the ``.safetensors`` file.
    wanted : dict of str to str
        Settings that the fit must have, as typed for the sweep.
    name : str
        Name of the checkpoint; by default that of the sweep's folder.

    Raises
    ------
    ValueError
        If no fit with these settings is finished, or they leave several groups of responses.
    """
    sweep_folder = SweepFolder(folder)
    rows = read_rows(sweep_folder.fits())
    best = best_rows([row for row in rows if wanted.items() <= row.combination.items()])
    if not best:
        raise ValueError(f"{folder} has no finished fit with {in_words(wanted)}; see {TABLE}")
    if len(best) > 1:
        groups = ", ".join(in_words(row.group) for row in best)
        raise ValueError(f"scores of other responses do not compare; name one of {groups}")
    digest = export(best[0].folder, out, name=name or sweep_folder.path.resolve().name)
    return best[0], digest


def _on_this_machine(jobs: dict[str, FitJob], out: Path, resources: Resources) -> Ended:
    shutil.rmtree(out / JOBS, ignore_errors=True)  # their ids are those of processes
    return run_locally(jobs, out / JOBS, resources)


def _on_slurm(jobs: dict[str, FitJob], out: Path, resources: Resources) -> Ended:
    """Submit the jobs that are not in the queue, and wait for all."""
    path = out / JOB_IDS
    ids: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    known: dict[str, submitit.Job[None]] = {
        name: submitit.SlurmJob(out / JOBS, ids[name]) for name in jobs if name in ids
    }
    queued = in_queue(known.values())
    known = {name: job for name, job in known.items() if job.job_id in queued}
    todo = [name for name in jobs if name not in known]
    if todo:
        submitted = submit_to_slurm([jobs[name] for name in todo], out / JOBS, resources)
        known |= dict(zip(todo, submitted, strict=True))
        ids = {name: job.job_id for name, job in known.items()}
        write_atomically(path, json.dumps(ids, indent=2).encode())
    return wait_for_slurm(known)
