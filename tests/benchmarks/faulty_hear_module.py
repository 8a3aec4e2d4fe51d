"""A HEAR module whose faults are switched on by the keywords of ``load_model``."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Model(nn.Module):
    """Announces sizes, and gives others on request."""

    def __init__(self, **faults: object) -> None:
        super().__init__()
        self.sample_rate = faults.get("rate", 44_100)
        self.scene_embedding_size = faults.get("announced", 3)
        self.timestamp_embedding_size = faults.get("announced_frames", 2)
        self.n_timestamps = faults.get("n_timestamps", 4)
        self.undefined_on = faults.get("undefined_on", "")


def load_model(model_file_path: str = "", **faults: object) -> Model:
    return Model(**faults)


def get_scene_embeddings(audio: Tensor, model: Model) -> Tensor:
    """Mean, spread and extent; NaN for noise or for silence on request."""
    scene = torch.stack([audio.mean(1), audio.std(1), audio.abs().amax(1)], dim=1)
    silent = audio.abs().amax(1) == 0
    if model.undefined_on == "silence":
        scene[silent] = torch.nan
    if model.undefined_on == "noise":
        scene[~silent] = torch.nan
    return scene


def get_timestamp_embeddings(audio: Tensor, model: Model) -> tuple[Tensor, Tensor]:
    frames = torch.zeros(len(audio), 4, 2)
    return frames, torch.zeros(len(audio), model.n_timestamps)
