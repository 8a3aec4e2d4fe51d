"""Scene embeddings of a folder of sounds with Ray Data: python embed_with_ray.py SOUNDS OUT"""

import sys
from pathlib import Path

import numpy as np
import ray
import torch

from hear_brainsoundnet import AudioFile, load_model


class Embed:
    """Worker: loads the model once, then embeds batches of paths."""

    def __init__(self) -> None:
        torch.set_num_threads(1)  # Ray starts a worker per core
        self.model = load_model()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows = []
        for path in batch["path"]:
            with AudioFile(Path(path)) as sound:
                rows.append(self.model.embed(sound, timestamps=False).scene[0].numpy())
        return {"path": batch["path"], "embedding": np.stack(rows)}


def embed_folder(sounds: str, out: str, n_workers: int) -> None:
    """Parquet files in `out` with the columns path and embedding."""
    paths = [str(path) for path in sorted(Path(sounds).rglob("*.wav"))]
    table = ray.data.from_items([{"path": path} for path in paths])
    table.map_batches(Embed, batch_size=64, concurrency=n_workers).write_parquet(out)


if __name__ == "__main__":
    embed_folder(*sys.argv[1:], n_workers=2)
