"""Jobs of a sweep: one fit each, by submitit, on this machine or on a SLURM cluster."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import UncompletedJobError

from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe

POLL_S = 0.2  # between two looks at jobs of this machine
QUEUE_POLL_S = (1.0, 30.0)  # at the cluster's queue: the first pause, and the longest
FOREVER_MIN = 60 * 24 * 365
MOST_TIMEOUTS = 20  # times that a fit may reach the time limit of its job, and resume
# Name of a fit, and why it failed or "".
Ended = Generator[tuple[str, str], None, None]
IN_QUEUE = ["squeue", "--me", "--array", "--noheader", "--format=%i"]


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
    """What each job may use.

    Attributes
    ----------
    at_once : int
        Number of fits at a time.
    gpus : int
        GPUs per fit: 0 or 1.
    partition : str or None
        Of the cluster.
    minutes, cpus : int
        Time limit and CPUs of a job; a fit that reaches the limit resumes in the next.
    more : mapping of str to str
        Further options of sbatch.
    """

    at_once: int = 1
    gpus: int = 0
    partition: str | None = None
    minutes: int = 600
    cpus: int = 1
    more: Mapping[str, str] = field(default_factory=dict)


def run_locally(jobs: Mapping[str, FitJob], folder: Path, resources: Resources) -> Ended:
    """Execute jobs on this machine; yields name and reason of failure, or "", as each ends.

    Closing the generator ends all jobs; their fits can be resumed.
    """
    waiting = iter(jobs.items())
    slots: list[int | None] = (
        list(gpus_here()[: resources.at_once]) if resources.gpus else [None] * resources.at_once
    )
    running: dict[str, tuple[submitit.Job[None], int | None]] = {}
    executor = submitit.LocalExecutor(folder)
    try:
        while True:
            while slots and (following := next(waiting, None)):
                name, job = following
                gpu = slots.pop()
                executor.update_parameters(
                    timeout_min=FOREVER_MIN,
                    gpus_per_node=resources.gpus,
                    visible_gpus=[] if gpu is None else [gpu],
                )
                with _interrupts_kept_back():
                    running[name] = executor.submit(job), gpu
            if not running:
                return
            time.sleep(POLL_S)
            for name in [name for name, (job, _) in running.items() if job.done()]:
                ended, gpu = running.pop(name)
                slots.append(gpu)
                yield name, reason(ended)
    finally:
        for ended, _ in running.values():
            while not ended.done():
                os.kill(int(ended.job_id), signal.SIGTERM)
                time.sleep(POLL_S)


def submit_to_slurm(
    jobs: Sequence[FitJob], folder: Path, resources: Resources
) -> list[submitit.Job[None]]:
    """Submit jobs as one array; those that are preempted return to the queue.

    Raises
    ------
    ValueError
        If sbatch refuses.
    """
    executor = submitit.SlurmExecutor(folder, max_num_timeout=MOST_TIMEOUTS)
    parameters: dict[str, Any] = {
        "job_name": "sweep",
        "time": resources.minutes,
        "cpus_per_task": resources.cpus,
        "srun_args": [f"--cpus-per-task={resources.cpus}"],  # not inherited since SLURM 22.05
        "array_parallelism": resources.at_once,
        "additional_parameters": {"requeue": True, **resources.more},
    }
    if resources.partition:
        parameters["partition"] = resources.partition
    if resources.gpus:
        parameters["gpus_per_node"] = resources.gpus
    executor.update_parameters(**parameters)
    try:
        return executor.submit_array(jobs)
    except UncompletedJobError as error:
        raise ValueError(f"the cluster refuses the jobs: {_last_line(str(error))}") from error


def wait_for_slurm(
    jobs: Mapping[str, submitit.Job[None]],
) -> Ended:
    """Wait for jobs in the queue; yields name and reason of failure, or "", as each ends."""
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

    Not by sacct, which needs a database that not every cluster has.
    """
    known = {job.job_id for job in jobs}
    if not known:
        return known
    asked = subprocess.run(IN_QUEUE, capture_output=True, text=True)
    return known & set(asked.stdout.split()) if asked.returncode == 0 else known


def reason(job: submitit.Job[None]) -> str:
    """Why an ended job failed, in one line; "" if it did not."""
    if not job.paths.result_pickle.exists():
        lines = (job.stderr() or "").splitlines()
        by_slurm = [line for line in lines if line.startswith("slurmstepd")]
        return _last_line("\n".join(by_slurm or lines)) or "the job ended without a message"
    error = job.exception()
    if error is None:
        return ""
    trace = str(error).partition("\n----------------------\n")[2]
    line = _last_line(trace.partition("\n----------------------\n")[0])
    return line.removeprefix("ValueError: ").removeprefix("FileNotFoundError: ")


def has_slurm() -> bool:
    """Whether this machine can submit jobs."""
    return shutil.which("sbatch") is not None


def gpus_here() -> list[int]:
    """Numbers of the GPUs that this process may use."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(range(torch.cuda.device_count()))
    try:
        return [int(each) for each in visible.split(",") if each]
    except ValueError as error:
        raise ValueError(
            f"CUDA_VISIBLE_DEVICES={visible}: expected numbers of GPUs; set it to such, or unset it"
        ) from error


def _last_line(text: str) -> str:
    return ([""] + [line.strip() for line in text.splitlines() if line.strip()])[-1]


@contextmanager
def _interrupts_kept_back() -> Iterator[None]:
    """Context whose child processes get no Ctrl-C: they would all print a traceback."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
