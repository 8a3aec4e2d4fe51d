"""``python -m benchmarks.demo``: embed a folder, list and plot nearest neighbours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.demo.picture import draw_neighbours, similarities
from benchmarks.demo.sounds import make_sounds
from hear_brainsoundnet.results import read_scene_table


def demo(
    audio: Annotated[
        Path | None, typer.Option(help="Folder of recordings; by default examples.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
) -> None:
    """Embed a folder of recordings with the default checkpoint and show the nearest neighbours."""
    if audio is None:
        audio = out / "sounds"
        make_sounds(audio)
        typer.echo(f"example sounds made in {audio}")
    embeddings = out / "embeddings"
    command = ["embed", str(audio), "-o", str(embeddings), "--force"]
    typer.echo("hear-brainsoundnet " + " ".join(command))
    run = subprocess.run([sys.executable, "-m", "hear_brainsoundnet", *command], check=False)
    if run.returncode not in (0, 1):  # 1: some files could not be read
        raise typer.Exit(run.returncode)
    table = read_scene_table(embeddings)
    names, scene = table.names, table.scene
    if not names:
        raise typer.Exit(1)
    similarity = similarities(scene)
    nearest = (similarity - 3 * np.eye(len(names))).argmax(axis=1)
    if len(names) > 1:
        typer.echo("nearest neighbours:")
        for i in range(min(len(names), 12)):
            typer.echo(f"  {names[i]:<28} {names[nearest[i]]:<28} {similarity[i, nearest[i]]:+.2f}")
    picture = out / "neighbours.png"
    draw_neighbours(names, similarity, picture)
    frames = sorted((embeddings / "timestamps").rglob("*.npz"))
    typer.echo(
        f"scene embeddings {scene.shape} in {embeddings / 'scene.npy'}, timestamp embeddings of "
        f"{len(frames)} files in {embeddings / 'timestamps'}, picture {picture}"
    )


if __name__ == "__main__":
    typer.run(demo)
