"""Plain loop over a folder: read a file, embed it, save the result.

This module runs in a separate process, like the command it is compared with. "earlier" embeds like
the earlier public recipe, "own" with this package's model, one call per file.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]
WAYS = ("earlier", "own")
SUFFIXES = (".wav", ".ogg")


def embed_folder(way: str, folder: Path, out: Path) -> int:
    """Write one ``.npz`` file with scene and timestamp embeddings per recording; returns their
    number.

    Raises
    ------
    ValueError
        For a value not in :data:`WAYS`.
    """
    if way not in WAYS:
        raise ValueError(f"way must be one of {', '.join(WAYS)}, got {way!r}")
    embed = _earlier() if way == "earlier" else _own()
    out.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    for path in paths:
        np.savez(out / f"{path.name}.npz", allow_pickle=False, **embed(path))
    return len(paths)


def _earlier() -> Callable[[Path], Arrays]:
    import soundfile
    import torch

    from benchmarks.speed.earlier import EarlierEmbedding
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.geometry import stage_geometry

    checkpoint = load_checkpoint("untrained")
    model = EarlierEmbedding(checkpoint)
    # It needs at least the deepest layer's shortest input: zero-pad.
    shortest = stage_geometry()["conv7"].shortest_input() / checkpoint.card.sample_rate

    def embed(path: Path) -> Arrays:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = samples.mean(axis=1)
        mono = np.pad(mono, (0, max(0, math.ceil(shortest * rate) - len(mono))))
        found = model.activations(torch.from_numpy(mono)[None], rate)
        return {"scene": found["conv7"].mean(axis=2), "timestamps": found["conv4"]}

    return embed


def _own() -> Callable[[Path], Arrays]:
    from hear_brainsoundnet.audio import AudioFile
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel

    checkpoint = load_checkpoint("untrained")
    model = EmbeddingModel(checkpoint, sample_rate=checkpoint.card.sample_rate)

    def embed(path: Path) -> Arrays:
        with AudioFile(path) as sound:
            found = model.embed(sound)
        assert found.scene is not None
        assert found.timestamps is not None
        return {"scene": found.scene.numpy(), "timestamps": found.timestamps.numpy()}

    return embed


if __name__ == "__main__":
    embed_folder(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
