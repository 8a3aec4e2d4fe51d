"""The commands ``sweep`` and ``sweep-best``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted, WrongCall

PLACES = ("local", "slurm")
MOST_AT_ONCE = 256  # jobs of a cluster, by default
MINUTES = 600  # the limit of the published fits


def sweep(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml of a fit")],
    out: Annotated[Path, typer.Option(help="Folder of the sweep.")],
    grid: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE,VALUE...",
            help="Values of each setting, see below; lists in brackets are one value.",
        ),
    ] = None,
    on: Annotated[str, typer.Option(help="local or slurm.")] = "local",
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Fits at a time; by default one, per GPU, or 256 on a cluster."),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(min=0, max=1, help="GPUs per fit; by default 1 on a machine that has some."),
    ] = None,
    partition: Annotated[str | None, typer.Option(help="Partition of the cluster.")] = None,
    time: Annotated[
        int | None,
        typer.Option(min=1, help="Minutes per job of the cluster; longer fits resume. [600]"),
    ] = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="CPUs per job there. [1]")] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(metavar="OPTION=VALUE", help="Another option of sbatch, as account=lab."),
    ] = None,
    array_limit: Annotated[
        int, typer.Option(min=1, help="Refuse more jobs than this, the cluster's MaxArraySize.")
    ] = 1000,
) -> None:
    """Fit every combination of settings, here or on a SLURM cluster; finished ones are skipped.

    Writes OUT/fits, OUT/sweep.csv and OUT/sweep.png.
    """
    if on not in PLACES:
        raise WrongCall(f"--on must be one of {', '.join(PLACES)}, got {on!r}")
    if on == "local" and (partition or time or cpus or sbatch):
        raise WrongCall("--partition, --time, --cpus and --sbatch apply to --on slurm")
    if find_spec("submitit") is None:
        raise ValueError("a sweep needs submitit: pip install submitit")
    from training.sweep.grid import read_sweep
    from training.sweep.jobs import Resources, gpus_here
    from training.sweep.sweep import sweep as run_sweep

    settings = read_sweep(recipe, grid or ())
    n_fits = len(settings.combinations())
    if n_fits > array_limit:
        raise ValueError(
            f"{n_fits} combinations are more than --array-limit {array_limit}; give fewer values, "
            "or a higher limit if the cluster has one"
        )
    if on == "slurm":
        if which("sbatch") is None:
            raise ValueError("--on slurm needs sbatch on the path; log in to the cluster first")
        devices = list(range(gpus or 0))
    else:
        devices = [] if gpus == 0 else gpus_here()
        if gpus and not devices:
            raise ValueError("--gpus 1: this machine has no GPU; leave the option out")
    at_once = at_once or (MOST_AT_ONCE if on == "slurm" else max(len(devices), 1))
    resources = Resources(
        at_once, devices, time or MINUTES, cpus or 1, partition, _pairs("--sbatch", sbatch)
    )
    try:
        rows = run_sweep(settings, out, on=on, resources=resources)
    except KeyboardInterrupt:
        stay = "; jobs stay in the queue (scancel ends them)" if on == "slurm" else ""
        raise Interrupted(f"{stay}; the same command continues") from None
    failed = [row for row in rows if row.state != "done"]
    typer.echo(
        f"{out}: {len(rows) - len(failed)} of {len(rows)} fits done; see {out / 'sweep.csv'} and "
        f"{out / 'sweep.png'}"
    )
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(rows)} fits failed; {out / 'sweep.csv'} has the reasons, the "
            "same command tries them again"
        )


def sweep_best(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    wanted: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Settings of the sweep that it must have."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")] = "",
) -> None:
    """Write the fit of a sweep with the highest validation R² as a checkpoint."""
    from training.sweep.sweep import export_best

    row, digest = export_best(folder, out, _pairs("", wanted), name=name)
    typer.echo(f"{out} written, hash {digest}: {row.folder}, validation R² {row.r2:.4f}")


def _pairs(option: str, arguments: list[str] | None) -> dict[str, str]:
    pairs = {}
    for argument in arguments or ():
        key, separator, value = argument.partition("=")
        if not separator or not key or not value:
            raise WrongCall(f"{option} {argument!r} is not of the form key=value".strip())
        pairs[key] = value
    return pairs
