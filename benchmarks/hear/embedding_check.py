"""Validation of a module's embeddings: declared sizes, and finite values."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

HEAR_SAMPLE_RATES = (16_000, 22_050, 32_000, 44_100, 48_000)
TRIAL_SECONDS = 1.5


def check_model(module: ModuleType, model: Any) -> None:
    """Embed a second of quiet noise twice and check the declared sizes.

    Raises
    ------
    ValueError
        If functions or attributes of the HEAR API are missing, the rate is not one of HEAR's, or
        the output has other sizes, or NaN.
    """
    name = module.__name__
    for function in ("get_scene_embeddings", "get_timestamp_embeddings"):
        if not callable(getattr(module, function, None)):
            raise ValueError(f"module {name!r} has no {function}; it is not a HEAR module")
    sizes: dict[str, int] = {}
    for attribute in ("sample_rate", "scene_embedding_size", "timestamp_embedding_size"):
        value = getattr(model, attribute, None)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name}: expected the model's {attribute} to be an int, got {value}")
        sizes[attribute] = value
    if sizes["sample_rate"] not in HEAR_SAMPLE_RATES:
        rates = ", ".join(map(str, HEAR_SAMPLE_RATES))
        raise ValueError(f"{name}: expected a sample rate of {rates} Hz, got {model.sample_rate}")
    if not isinstance(model, nn.Module):
        return  # TensorFlow: tested by the validator
    scene, frames, times = _trial(module, model)
    n_frames = frames.shape[1] if frames.ndim == 3 else 0
    frame_size = sizes["timestamp_embedding_size"]
    _expect(name, "get_scene_embeddings", scene, (2, sizes["scene_embedding_size"]))
    _expect(name, "get_timestamp_embeddings", frames, (2, n_frames, frame_size))
    if times.shape != (2, n_frames):
        raise ValueError(
            f"{name}: get_timestamp_embeddings returned timestamps of shape {times.shape} for "
            f"frames of shape {frames.shape}, expected one for each frame: (2, {n_frames})"
        )


def check_clip_embeddings(folder: Path, splits: list[str], task: str) -> None:
    """Check that heareval wrote no embedding of a task with NaN or infinity into `folder`.

    Raises
    ------
    ValueError
        Names the file of embeddings, and the clip.
    """
    for split in splits:
        table = folder / f"{split}.embeddings.npy"
        shape = tuple(json.loads((folder / f"{split}.embedding-dimensions.json").read_text()))
        if np.isfinite(np.memmap(table, np.float32, "r", shape=shape)).all():
            continue
        for path in sorted((folder / split).glob("*.embedding.npy")):
            if not np.isfinite(np.load(path)).all():
                raise not_finite(task, f"{split}/{path.name.removesuffix('.embedding.npy')}", path)
        raise not_finite(task, f"a clip of {split}", table)


def not_finite(task: str, clip: str, file: Path | None = None) -> ValueError:
    """The error for a clip whose embedding has NaN or infinity."""
    where = f" ({file})" if file else ""
    return ValueError(
        f"{task}: the embedding of clip {clip} has NaN or infinity{where}; fix the module: every "
        "clip needs numbers, silent and short ones, too"
    )


def _trial(module: ModuleType, model: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scene embeddings, frames and timestamps of two clips."""
    import torch

    generator = torch.Generator().manual_seed(0)
    n_samples = int(TRIAL_SECONDS * model.sample_rate)
    audio = 0.1 * torch.randn(2, n_samples, generator=generator).clamp(-5, 5)
    with torch.no_grad():
        scene = module.get_scene_embeddings(audio, model)
        frames, times = module.get_timestamp_embeddings(audio, model)
    return np.asarray(scene.cpu()), np.asarray(frames.cpu()), np.asarray(times.cpu())


def _expect(name: str, function: str, found: np.ndarray, shape: tuple[int, ...]) -> None:
    if found.shape != shape:
        raise ValueError(
            f"{name}: {function} returned shape {found.shape} for two clips, the model declares "
            f"{shape}; scene_embedding_size and timestamp_embedding_size must be the true sizes"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: {function} returned NaN or infinity for quiet noise")
