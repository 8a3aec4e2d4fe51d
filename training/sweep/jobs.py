"""Jobs of a sweep: one fit each, by submitit, on this machine or on a SLURM cluster."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

import submitit
from submitit.core.utils import UncompletedJobError

from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe

POLL_S = 0.2  # between two looks at jobs of this machine
QUEUE_POLL_S = (1.0, 30.0)  # at the cluster's queue: the first pause, and the longest
FOREVER_MIN = 60 * 24 * 365
MOST_TIMEOUTS = 20  # times that a fit may reach the time limit of its job, and resume
IN_QUEUE = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
RULE = "\n----------------------\n"  # before and after the traceback in messages of submitit
EXPECTED = ("ValueError: ", "FileNotFoundError: ")  # errors that speak for themselves

Ended = Generator[tuple[str, str], None, None]  # name of a fit, and why it failed or ""


@dataclass(frozen=True)
class FitJob(submitit.helpers.Checkpointable):
    """A fit as a job; when the cluster starts it again, it resumes.

    Submitit puts it back into the queue before preemption, and before the time limit of its job.
    """

    recipe: FitRecipe
    out: Path

    def __call__(self) -> None:
        if os.environ.get("SUBMITIT_EXECUTOR") == "local":
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # submitit ignores it
        fit(self.recipe, self.out, resume=True, progress=False)


@dataclass(frozen=True)
class Resources:
    """Number of fits at a time, and what each may use.

    On this machine `gpus` are the numbers of those to use, one per fit; on a cluster only their
    count matters, per job. `minutes`, `cpus`, `partition` and `more` (other options of sbatch) are
    for a cluster.
    """

    at_once: int = 1
    gpus: Sequence[int] = ()
    minutes: int = 600
    cpus: int = 1
    partition: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)


def run_locally(jobs: Mapping[str, FitJob], folder: Path, resources: Resources) -> Ended:
    """Execute jobs on this machine; closing the generator ends them all."""
    waiting = iter(jobs.items())
    slots = [[gpu] for gpu in resources.gpus] or [[]] * resources.at_once
    free = slots[: resources.at_once]
    running: dict[str, tuple[submitit.Job[None], list[int]]] = {}
    executor = submitit.LocalExecutor(folder)
    try:
        while True:
            while free and (following := next(waiting, None)):
                name, job = following
                gpus = free.pop()
                executor.update_parameters(
                    timeout_min=FOREVER_MIN, gpus_per_node=len(gpus), visible_gpus=gpus
                )
                # Jobs inherit the mask: at Ctrl-C each would print a traceback.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                running[name] = executor.submit(job), gpus
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            if not running:
                return
            time.sleep(POLL_S)
            for name in [name for name, (job, _) in running.items() if job.done()]:
                ended, gpus = running.pop(name)
                free.append(gpus)
                yield name, reason(ended)
    finally:
        for ended, _ in running.values():
            while not ended.done():
                os.kill(int(ended.job_id), signal.SIGTERM)
                time.sleep(POLL_S)


def submit_to_slurm(
    jobs: Sequence[FitJob], folder: Path, resources: Resources
) -> list[submitit.Job[None]]:
    """Submit jobs as one array; a ValueError if sbatch refuses."""
    executor = submitit.SlurmExecutor(folder, max_num_timeout=MOST_TIMEOUTS)
    executor.update_parameters(
        job_name="sweep",
        partition=resources.partition,
        time=resources.minutes,
        cpus_per_task=resources.cpus,
        srun_args=[f"--cpus-per-task={resources.cpus}"],  # not inherited since SLURM 22.05
        gpus_per_node=len(resources.gpus) or None,
        array_parallelism=resources.at_once,
        additional_parameters={"requeue": True, **resources.more},
    )
    try:
        with redirect_stderr(io.StringIO()):  # submitit prints what it raises
            return executor.submit_array(jobs)
    except UncompletedJobError as error:
        raise ValueError(f"the cluster refuses the jobs: {_last_line(str(error))}") from error


def wait_for_slurm(jobs: Mapping[str, submitit.Job[None]]) -> Ended:
    """Wait for jobs of the queue."""
    pending, (pause, longest) = dict(jobs), QUEUE_POLL_S
    while pending:
        queued = in_queue(pending.values())
        for name in [name for name, job in pending.items() if job.job_id not in queued]:
            pause = QUEUE_POLL_S[0]
            yield name, reason(pending.pop(name))
        if pending:
            time.sleep(pause)
            pause = min(1.5 * pause, longest)


def in_queue(jobs: Iterable[submitit.Job[None]]) -> set[str]:
    """Ids of those jobs that have not ended: waiting, running or returned to the queue.

    Not by sacct, which needs a database that not every cluster has. Without an answer, all.
    """
    known = {job.job_id for job in jobs}
    if not known:
        return known
    answer = subprocess.run(IN_QUEUE, capture_output=True, text=True)
    return known & set(answer.stdout.split()) if answer.returncode == 0 else known


def reason(job: submitit.Job[None]) -> str:
    """Why an ended job failed, in one line; "" if it did not."""
    if not job.paths.result_pickle.exists():  # killed
        lines = (job.stderr() or "").splitlines()
        by_slurm = [line for line in lines if line.startswith("slurmstepd")]
        return _last_line("\n".join(by_slurm or lines)) or "the job ended without a message"
    error = job.exception()
    line = "" if error is None else _last_line(str(error).split(RULE)[1])
    return next((line.removeprefix(name) for name in EXPECTED if line.startswith(name)), line)


def gpus_here() -> list[int]:
    """Numbers of the GPUs that this process may use."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(range(torch.cuda.device_count()))
    try:
        return [int(each) for each in visible.split(",") if each]
    except ValueError as error:
        raise ValueError(f"CUDA_VISIBLE_DEVICES={visible}: expected numbers of GPUs") from error


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()
