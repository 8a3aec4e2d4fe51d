"""Nearest neighbours of a recording, by scene embeddings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.results import SceneTable, read_results

FEWEST = 3  # rows over which dimensions can be z-scored


@dataclass(frozen=True)
class Neighbour:
    """A recording, or a window of it, and its similarity.

    Attributes
    ----------
    name : str
        The file's name in its folder.
    similarity : float
        Within [-1, 1], see :func:`similarities`.
    start, stop : float or None
        Start and end of the window in seconds.
    """

    name: str
    similarity: float
    start: float | None = None
    stop: float | None = None


def z_scored(scene: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """`queries` with each dimension z-scored over the rows of `scene`.

    (Fewer than three rows give no spread: they are left as they are. Dimensions that are constant
    over the rows are only shifted.)
    """
    if len(scene) < FEWEST:
        return queries
    mean, spread = scene.mean(axis=0), scene.std(axis=0)
    found: np.ndarray = (queries - mean) / np.where(spread > 0, spread, 1)
    return found


def similarities(scene: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Cosine similarity of embeddings whose dimensions were z-scored over the rows of `scene`.

    Without z-scoring, components shared by all recordings dominate the similarity; see
    :func:`z_scored`.

    Parameters
    ----------
    scene : ndarray
        Shape ``(n_sounds, n_dimensions)``.
    queries : ndarray
        Shape ``(n_queries, n_dimensions)``.

    Returns
    -------
    ndarray
        Shape ``(n_queries, n_sounds)``, within [-1, 1]; 0 for rows of zeros.

    Examples
    --------
    >>> scene = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> similarities(scene, np.array([[2.0, 0.0]])).round(2)
    array([[ 1.  ,  0.  , -0.71]])
    """
    return cosines(directions(z_scored(scene, queries)), directions(z_scored(scene, scene)))


def cosines(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosine of the angle between each two :func:`directions`, ``(n_queries, n_rows)``."""
    found: np.ndarray = queries @ rows.T
    return found.clip(-1, 1)


def nearest(model: EmbeddingModel, query: Path, table: SceneTable, n: int) -> list[Neighbour]:
    """The `n` recordings most similar to a file, in order of similarity.

    A recording with several windows is represented by the most similar one.

    Parameters
    ----------
    model : EmbeddingModel
        The model of the scene embeddings in `table`.
    query : Path
        An audio file.
    table : SceneTable
        Candidates.
    n : int
        Number of neighbours.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file cannot be read.
    """
    with AudioFile(query) as sound:
        scene = model.embed(sound, timestamps=False).scene
    assert scene is not None
    (row,) = similarities(table.scene, scene.cpu().numpy())
    found: dict[str, Neighbour] = {}
    for i in np.argsort(-row, kind="stable"):
        name = table.names[i]
        start, stop = (None, None) if table.times is None else table.times[i]
        found.setdefault(name, Neighbour(name, float(row[i]), start, stop))
        if len(found) == n:
            break
    return list(found.values())


def without(query: Path, out: Path, table: SceneTable) -> SceneTable:
    """The table of a folder of results without the rows of the file `query` itself."""
    records, _ = read_results(out)
    place = os.path.realpath(query)
    own = {record.name for record in records if os.path.realpath(record.source) == place}
    kept = [i for i, name in enumerate(table.names) if name not in own]
    times = None if table.times is None else [table.times[i] for i in kept]
    return SceneTable([table.names[i] for i in kept], times, table.scene[kept])


def directions(table: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    length = np.linalg.norm(table, axis=1, keepdims=True)
    found: np.ndarray = table / np.where(length > 0, length, 1)
    return found
