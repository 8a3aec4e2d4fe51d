"""Plot of the similarity matrix of a folder written by ``hear-brainsoundnet embed``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hear_brainsoundnet import nearest

MOST_FILES = 40  # more would be illegible


def similarities(scene: np.ndarray) -> np.ndarray:
    """Cosine similarity of embeddings with dimensions z-scored over the files.

    Parameters
    ----------
    scene : ndarray
        Shape ``(n_files, n_dimensions)``.

    Returns
    -------
    ndarray
        Shape ``(n_files, n_files)``, within [-1, 1].
    """
    return nearest.similarities(scene, scene)


def draw_neighbours(names: list[str], similarity: np.ndarray, path: Path) -> None:
    """Plot the similarity matrix, with each row's nearest neighbour marked."""
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
