"""Nearest neighbours in a folder of sounds, and a picture of all similarities."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import typer

from benchmarks.demo.sounds import make_sounds
from hear_brainsoundnet.nearest import similarities
from hear_brainsoundnet.results import read_scene_table

MOST_FILES = 40  # more would be illegible


def show_neighbours(audio: Path | None, out: Path) -> None:
    """Embed a folder with the default checkpoint, list nearest neighbours and plot similarities.

    Without `audio`, example sounds are made in ``out/sounds``.
    """
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
    similarity = similarities(scene, scene)
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


def draw_neighbours(names: list[str], similarity: np.ndarray, path: Path) -> None:
    """Plot the similarity matrix ``(n_files, n_files)``, with each row's nearest neighbour
    marked."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = np.linspace(0, len(names) - 1, min(len(names), MOST_FILES)).round().astype(int)
    part = similarity[np.ix_(shown, shown)]
    labels = [Path(names[i]).stem for i in shown]
    size = 3.5 + 0.28 * len(shown)
    figure, axes = plt.subplots(figsize=(size, size * 0.86), layout="constrained")
    image = axes.imshow(part, vmin=-1, vmax=1, cmap="RdBu_r")
    others = part - 3 * np.eye(len(shown))
    if len(shown) > 1:
        axes.plot(others.argmax(axis=1), range(len(shown)), "ko", markersize=5)
    axes.set_xticks(range(len(shown)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(shown)), labels)
    axes.set_title("Similarity of sounds (dot: nearest other sound of the row)", fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.7, label="cosine similarity of z-scored embeddings")
    figure.savefig(path, dpi=130)
    plt.close(figure)
