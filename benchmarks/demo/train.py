"""From simulated fMRI to a checkpoint, by the same commands as for real data."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

import typer

from benchmarks.demo.sounds import make_sounds

TRAINING = ("python", "-m", "training")
PLUGIN = "hear-brainsoundnet"
RECIPE = Path("training", "recipes", "demo.yaml")
N_VARIANTS = 8  # of the twelve example recordings; seasons share none of them
BRAIN = (
    "run_minutes=3",
    "n_parcels=100",
    "hidden=default",  # some parcels follow the network that the fit starts from
    "kinds={envelope: 3, spectral: 6, modulation: 4, soundnet: 6, other_soundnet: 5}",
    "explainable_variance=[0.5, 0.7]",
)


def train_on_simulation(audio: Path | None, out: Path) -> None:
    """Simulate a brain's responses, fit an encoder to them, export and use it, all into `out`.

    Prints each command with its duration. Without `audio`, sounds are made in ``out/sounds``.
    """
    if out.exists() and any(out.iterdir()):
        typer.echo(f"{out} is not empty; remove it or choose another --out", err=True)
        raise typer.Exit(2)
    begin = time.monotonic()
    if audio is None:
        audio = out / "sounds"
        make_sounds(audio, n_variants=N_VARIANTS)
        typer.echo(f"example sounds made in {audio}: {time.monotonic() - begin:.0f} s")
    experiment, fitted, checkpoint = out / "experiment", out / "fit", out / "brain.safetensors"
    simulated = ["layout=fmriprep", "n_subjects=2", "n_runs=8", *BRAIN]
    data = f"data={experiment / 'prepared'}"
    film = experiment / "stimuli" / "s02e01a.wav"  # from the held-out season
    _run(*TRAINING, "simulate", experiment, "--audio", audio, *simulated)
    _run(*TRAINING, "prepare", experiment / "prepare.yaml")
    _run(*TRAINING, "fit", RECIPE, "--out", fitted, data)
    _run(*TRAINING, "export", fitted, checkpoint)
    with_checkpoint: list[str | Path] = [film, "--checkpoint", checkpoint, "-o"]
    _run(PLUGIN, "embed", *with_checkpoint, out / "embeddings")
    _run(PLUGIN, "predict", *with_checkpoint, out / "predicted.h5", "--map")
    _run(*TRAINING, "map", fitted, out / "map.png")
    typer.echo(
        f"\n{time.monotonic() - begin:.0f} s in all. To look at:\n"
        f"  {fitted / 'curves.png'}: how it learned\n"
        f"  {out / 'map.png'}: where the season that was held out is predicted, and how well\n"
        f"  {experiment / 'prepared' / 'summary.html'}: the data"
    )


def _run(*command: str | Path) -> None:
    """Echo a command, run it, and print its duration; a failure ends the demo."""
    words = [str(word) for word in command]
    typer.echo("\n$ " + shlex.join(words))
    begin = time.monotonic()
    status = subprocess.run(_in_this_python(words), check=False).returncode
    if status:
        raise typer.Exit(status)
    typer.echo(f"  {time.monotonic() - begin:.0f} s")


def _in_this_python(words: list[str]) -> list[str]:
    """The command with the current interpreter, whichever python is on the path."""
    if words[0] == PLUGIN:
        return [sys.executable, "-m", "hear_brainsoundnet", *words[1:]]
    return [sys.executable, *words[1:]]
