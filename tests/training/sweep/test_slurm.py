"""A sweep on a real SLURM: controller, node and authentication on the loopback address."""

import csv
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from small_fits import SMALL

from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
PLACES = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
MISSING = [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]
CONFIGURATION = """\
ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
KillWait=2
SlurmdParameters=config_overrides
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=main Nodes=node Default=YES
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"SLURM is not installed: no {' '.join(MISSING)}"),
]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cluster of one node; the folder of its files."""
    folder = tmp_path / "slurm"
    (folder / "state").mkdir(parents=True)
    key, configuration = folder / "key", folder / "slurm.conf"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in (one, other)]
    configuration.write_text(CONFIGURATION.format(host=host, user=user, folder=folder, ports=ports))
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    monkeypatch.setenv("PATH", PLACES)
    files = [f"--{name}-file={folder / name}" for name in ("key", "log", "pid", "seed")]
    daemons = []
    try:
        for words in (
            ["munged", "--foreground", "--force", f"--socket={folder / 'munge'}", *files],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-N", "node"],
        ):
            log = (folder / f"{words[0]}.out").open("w")
            daemons.append(subprocess.Popen(words, stdout=log, stderr=log))
        wait_until(lambda: output("sinfo", "--noheader", "--format=%t") == "idle", folder)
        yield folder
        output("scancel", "--me")
        wait_until(lambda: output("squeue", "--noheader") == "", folder)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def wait_until(fact: Callable[[], bool], logs: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            texts = [
                path.read_text() for path in logs.rglob("*") if path.suffix in (".out", ".err")
            ]
            raise TimeoutError("\n".join(texts))
        time.sleep(0.1)


def test_requeued_jobs_end_with_the_same_bytes(slurm: Path, two_subjects: Path, tmp_path: Path):
    """Three fits: one killed and requeued, one sent the signal before its time limit, one failing.

    The command that submitted them is killed, too.
    """
    settings = {
        **SMALL,
        "data": str(two_subjects),
        "windows": {"n_trs": 8},
        "optimiser": {"max_epochs": 100, "patience": 100},
    }
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "sweep"
    recipe.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "training", "sweep", str(recipe)]
    command += ["subjects=[sub-01],[sub-02],[sub-99]", "--out", str(out)]
    command += ["--on", "slurm", "--partition", "main", "--time", "20"]
    jobs = {"sub-01": out / "fits" / "1", "sub-02": out / "fits" / "2"}

    def are_in_the_middle() -> bool:
        tables = [job / "metrics.csv" for job in jobs.values()]
        return all(each.exists() and len(each.read_text().splitlines()) > 5 for each in tables)

    with subprocess.Popen(command) as first:
        wait_until(are_in_the_middle, out / "jobs")
        first.kill()
    ids = json.loads((out / "jobs.json").read_text())
    subprocess.run(["scontrol", "requeue", ids["1"]], check=True)
    subprocess.run(["scancel", "--signal=USR2", ids["2"]], check=True)
    assert not any((job / "model.safetensors").exists() for job in jobs.values())

    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 1
    assert "1 of 3 fits failed" in second.stderr.splitlines()[-1]
    again = json.loads((out / "jobs.json").read_text())
    assert [again[name] for name in "12"] == [ids[name] for name in "12"]  # not submitted again
    for name in "12":
        log = (out / "jobs" / f"{ids[name]}_0_log.out").read_text()
        assert log.count("Starting with JobEnvironment") == 2
    with (out / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "done", "failed"]
    assert rows[2]["reason"].startswith("subjects sub-99 are not in ")

    for subject, job in jobs.items():
        plain = tmp_path / "plain" / job.name
        fit(FitRecipe(**settings, subjects=[subject]), plain, progress=False)
        models = [folder / "model.safetensors" for folder in (job, plain)]
        assert models[0].read_bytes() == models[1].read_bytes()


def test_a_partition_that_does_not_exist_is_one_line(
    slurm: Path, two_subjects: Path, tmp_path: Path
):
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "sweep"
    recipe.write_text(yaml.safe_dump({"data": str(two_subjects)}))
    command = [sys.executable, "-m", "training", "sweep", str(recipe), "--out", str(out)]
    ran = subprocess.run(
        [*command, "--on", "slurm", "--partition", "none"], capture_output=True, text=True
    )
    (line,) = ran.stderr.splitlines()
    assert line.startswith("python -m training: the cluster refuses the jobs: sbatch: error: ")
    assert "invalid partition" in line.lower()
    with (out / "sweep.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["unfinished"]
