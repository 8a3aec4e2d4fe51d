"""Scene embeddings of a task's clips, cached for each model and task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.embedding_check import not_finite
from benchmarks.hear.model_identity import ModelIdentity, load_identified
from benchmarks.hear.task_folder import TaskFolder
from benchmarks.kept import kept_arrays

SECONDS_AT_ONCE = 60.0  # of audio in one call


def scene_embeddings(
    identity: ModelIdentity, task: TaskFolder, cache: Path
) -> dict[str, NDArray[np.float32]]:
    """By split, ``(n_clips, n_values)``; clips in the order of the split's labels.

    `cache` is an ``.npz`` file, read if it is of this task, else written.

    Raises
    ------
    ValueError
        If an embedding is not finite; the message names the clip.
    """
    return kept_arrays(
        cache,
        lambda: {split: _embed(identity, task, split) for split in task.labels},
        task_hash=task.content_hash(),
    )


def _embed(identity: ModelIdentity, task: TaskFolder, split: str) -> NDArray[np.float32]:
    import soundfile
    import torch

    module, model = load_identified(identity)
    seconds = task.metadata["sample_duration"]  # None: clips differ in length
    n_at_once = max(1, int(SECONDS_AT_ONCE / seconds)) if seconds else 1
    names = list(task.labels[split])
    folder = task.path / str(identity.sample_rate) / split
    batches = []
    for first in range(0, len(names), n_at_once):
        own = names[first : first + n_at_once]
        clips = [soundfile.read(folder / name, dtype="float32")[0] for name in own]
        with torch.no_grad():
            scene = module.get_scene_embeddings(torch.from_numpy(np.stack(clips)), model)
        batch = np.asarray(scene.cpu(), dtype=np.float32)
        for name, embedding in zip(own, batch, strict=True):
            if not np.isfinite(embedding).all():
                raise not_finite(task.name, f"{split}/{name}", folder / name)
        batches.append(batch)
    return np.concatenate(batches)
