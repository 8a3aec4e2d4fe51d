"""A page to listen with: a map of embedded recordings as one HTML file that needs no network.

Similar recordings lie close together. Pointing at one shows its name, clicking plays an excerpt and
lists its nearest neighbours. Everything is inside the file: the positions, the neighbours, and the
excerpts as MP3.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.nearest import cosines, directions, z_scored
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.results import SceneTable
from hear_brainsoundnet.sound_files import printable

MAPS = ("pca", "tsne")
N_NEIGHBOURS = 8
ROWS_AT_ONCE = 1024  # similarities to all rows, computed at a time
RATE = 22_050  # of the excerpts, in Hz
# MP3 at a constant rate, so that the size of the page is known before anything is encoded.
BYTES_PER_SECOND = 5_000
OTHER_BYTES = 600  # of each: a header, and what fills the last frames
ENCODING: Mapping[str, Any] = {"bitrate_mode": "CONSTANT", "compression_level": 0.8}
BASE64 = 4 / 3
SHORTEST = 0.5  # seconds of an excerpt
LONGEST_MAP = 20_000  # rows: t-SNE of more takes minutes


@dataclass(frozen=True)
class Excerpt:
    """An excerpt of a recording as MP3; empty, with the reason, if it could not be read."""

    mp3: bytes
    reason: str = ""


def positions(scene: NDArray[np.floating], kind: str = "pca") -> NDArray[np.float64]:
    """Positions of embeddings on a map, ``(n_rows, 2)``, within [-1, 1].

    Parameters
    ----------
    scene : array
        ``(n_rows, D)``; dimensions are z-scored over the rows.
    kind : str
        ``"pca"``: the two components of largest variance. ``"tsne"``: t-SNE, which keeps neighbours
        together and distorts long distances; it needs scikit-learn.

    Raises
    ------
    ValueError
        If there is no such map, scikit-learn is missing, or there are too many rows for t-SNE.

    Examples
    --------
    >>> positions(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])).round(2) + 0
    array([[-1.,  0.],
           [ 0.,  0.],
           [ 1.,  0.]])
    """
    if kind not in MAPS:
        raise ValueError(f"unknown map {kind!r}; choose one of {', '.join(MAPS)}")
    components = _principal(z_scored(scene, scene).astype(np.float64), 50)
    found = components[:, :2]
    # Equal rows have no neighbourhoods (and end scikit-learn's t-SNE in a crash).
    if kind == "tsne" and len(scene) > 3 and components.any():
        found = _tsne(components)
    found = found - (found.max(axis=0) + found.min(axis=0)) / 2
    farthest = np.abs(found).max()
    return found / farthest if farthest > 0 else found


def _principal(table: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The first `n` principal components, at least two, of columns with mean zero."""
    table = table - table.mean(axis=0)
    left, values, directions = np.linalg.svd(table, full_matrices=False)
    # A component's sign is arbitrary: the largest weight is positive, on every machine.
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    found = (left * values * signs)[:, :n]
    return np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))


def _tsne(components: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ValueError(
            "the map tsne needs scikit-learn: pip install scikit-learn, or take --map pca"
        ) from error
    if len(components) > LONGEST_MAP:
        raise ValueError(
            f"the map tsne is for up to {LONGEST_MAP:,} recordings, got {len(components):,}; take "
            "--map pca"
        )
    perplexity = min(30.0, (len(components) - 1) / 3)
    tsne = TSNE(init="pca", perplexity=perplexity, random_state=0)
    return np.asarray(tsne.fit_transform(components), dtype=np.float64)


def neighbours(scene: NDArray[np.floating], n: int = N_NEIGHBOURS) -> list[list[tuple[int, float]]]:
    """For each row the `n` most similar others, as row and cosine similarity, in order.

    See :func:`hear_brainsoundnet.nearest.similarities`.
    """
    n = min(n, len(scene) - 1)
    unit = directions(z_scored(scene, scene))
    found = []
    for start in range(0, len(scene), ROWS_AT_ONCE):
        block = cosines(unit[start : start + ROWS_AT_ONCE], unit)
        rows = np.arange(len(block))
        block[rows, start + rows] = -2  # below every similarity: the row itself comes last
        for row, order in zip(block, np.argsort(-block, axis=1, kind="stable"), strict=True):
            found.append([(int(i), float(row[i])) for i in order[:n]])
    return found


def seconds_within(durations: Sequence[float], wanted: float, megabytes: float) -> float:
    """Length in seconds, `wanted` at most, of excerpts that together take no more than `megabytes`.

    Recordings are no longer than their `durations` in seconds. A ValueError if excerpts would be
    shorter than half a second; the message says what would do.

    Examples
    --------
    >>> seconds_within([10.0] * 100, wanted=3, megabytes=50)
    3
    >>> seconds_within([10.0] * 10_000, wanted=3, megabytes=50)
    0.6
    """

    def size(seconds: float) -> float:
        total = sum(min(duration, seconds) for duration in durations) * BYTES_PER_SECOND
        return (total + len(durations) * OTHER_BYTES) * BASE64 / 1e6

    seconds = wanted
    while size(seconds) > megabytes:
        seconds = round(seconds - 0.05, 2)
        if seconds < SHORTEST:
            needed = size(SHORTEST)
            raise ValueError(
                f"{len(durations):,} excerpts of {SHORTEST:g} s take {needed:.0f} MB, more than "
                f"the {megabytes:g} MB allowed; give --megabytes {np.ceil(needed):.0f}, or "
                "--no-audio"
            )
    return seconds


def excerpt(path: Path, start: float, seconds: float) -> Excerpt:
    """An excerpt of a recording as MP3: mono, 22,050 Hz, from `start` in seconds.

    Raises
    ------
    ValueError
        If the installed libsndfile cannot write MP3.
    """
    try:
        with AudioFile(path) as sound:
            first = round(start * sound.sample_rate)
            last = min(sound.n_samples, first + round(seconds * sound.sample_rate))
            samples = sound.read(first, last)
            rate = sound.sample_rate
    except (ValueError, OSError) as error:
        return Excerpt(b"", printable(" ".join(str(error).split())))
    resampler = Resampler(rate, RATE)
    with torch.no_grad():
        audio = resampler.whole(samples)[0, : resampler.n_out(samples.shape[1])].clamp(-1, 1)
    file = io.BytesIO()
    try:
        soundfile.write(file, audio.numpy(), RATE, format="MP3", **ENCODING)
    except (ValueError, soundfile.LibsndfileError) as error:
        raise ValueError(
            "the installed libsndfile cannot write MP3 (version 1.1 or later can): pip install "
            "--upgrade soundfile, or give --no-audio"
        ) from error
    return Excerpt(file.getvalue())


def folder_of(name: str) -> str:
    """First folder of a name, ``""`` without one.

    Examples
    --------
    >>> folder_of("dogs/a.wav"), folder_of("a.wav")
    ('dogs', '')
    """
    return name.rpartition("/")[0].partition("/")[0]


def page(
    title: str,
    table: SceneTable,
    excerpts: Iterable[Excerpt] | None,
    *,
    kind: str = "pca",
    notes: Sequence[str] = (),
) -> str:
    """The page as HTML.

    There is one point for each row of `table` and one excerpt, or with None no audio. `kind` is
    that of :func:`positions`; `notes` are shown below the map: how it was made.
    """
    places = positions(table.scene, kind)
    near = neighbours(table.scene)
    sounds = []
    for row, name in enumerate(table.names):
        sound: dict[str, Any] = {
            "name": printable(name),
            "folder": printable(folder_of(name)),
            "x": round(float(places[row, 0]), 4),
            "y": round(float(places[row, 1]), 4),
            "near": [[i, round(similarity, 3)] for i, similarity in near[row]],
        }
        if table.times is not None:
            sound["times"] = [round(time, 3) for time in table.times[row]]
        sounds.append(sound)
    for sound, clip in zip(sounds, excerpts or (), strict=excerpts is not None):
        sound["audio"] = base64.b64encode(clip.mp3).decode("ascii")
        sound["reason"] = clip.reason
    data = {"title": printable(title), "notes": [printable(note) for note in notes]}
    # "<" would let a name end the element that holds the data.
    document = json.dumps(data | {"sounds": sounds}, separators=(",", ":")).replace("<", "\\u003c")
    template = files("hear_brainsoundnet").joinpath("explore.html").read_text(encoding="utf-8")
    return template.replace("{{data}}", document)
