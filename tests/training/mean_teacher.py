"""A HEAR module that says how far from zero a sound is on average, every 0.1 s.

The word in its checkpoint is what is wrong with it.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

__version__ = "3"
RATE, HOP = 16_000, 1_600


class Mean(nn.Module):
    """Three units: mean over 0.1 s, the same times -2, and a constant."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.sample_rate = 12_345 if fault == "rate" else RATE
        self.timestamp_embedding_size = "three" if fault == "size" else 3
        self.scene_embedding_size = 3


def load_model(model_file_path: str = "") -> Mean:
    fault = Path(model_file_path).read_text() if model_file_path else ""
    if fault == "load":
        raise RuntimeError("weights for\nanother network")
    return Mean(fault)


def units(mean: Tensor) -> Tensor:
    return torch.stack([mean, -2 * mean, torch.full_like(mean, 7)], dim=-1)


def get_scene_embeddings(audio: Tensor, model: Mean) -> Tensor:
    scenes = units(audio.mean(dim=1))
    return scenes[:, :2] if model.fault == "scene" else scenes


def get_timestamp_embeddings(audio: Tensor, model: Mean) -> tuple[Tensor, Tensor]:
    n_frames = audio.shape[1] // HOP
    frames = units(audio[:, : n_frames * HOP].unflatten(1, (n_frames, HOP)).mean(dim=2))
    times = (torch.arange(n_frames) + 0.5) * 100
    times = times.repeat(len(audio), 1)
    if model.fault == "nan" and audio.abs().max() > 0.9:
        frames[:, -1, 0] = torch.nan
    if model.fault == "large":
        frames *= 1e5
    if model.fault == "shape":
        frames = frames[..., :2]
    if model.fault == "none":
        return frames[:, :0], times[:, :0]
    if model.fault == "short":
        times = times[:, 1:]
    if model.fault == "order":
        times = times.flip(1)
    if model.fault == "seconds":
        times = times / 1000
    return frames if model.fault == "alone" else (frames, times)  # type: ignore[return-value]
