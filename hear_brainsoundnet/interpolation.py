"""Interpolation of a stage's frames at arbitrary times."""

from __future__ import annotations

import torch
from torch import Tensor

from hear_brainsoundnet.geometry import StageGeometry


def frames_at(frames: Tensor, stage: StageGeometry, times: Tensor, *, first: int = 0) -> Tensor:
    """Interpolate linearly between frame centres; end values are held beyond the ends.

    Parameters
    ----------
    frames : Tensor
        Shape ``(..., n_frames, n_channels)``.
    stage : StageGeometry
        The stage of the frames.
    times : Tensor
        In samples at the network's rate, float64, shape ``(n_times,)``.
    first : int
        Index in the clip of the first of `frames`.

    Returns
    -------
    Tensor
        Shape ``(..., n_times, n_channels)``.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> conv4 = stage_geometry()["conv4"]
    >>> frames = torch.tensor([[10.0], [20.0]])  # frames 0 and 1
    >>> times = conv4.centre + conv4.hop * torch.tensor([-1, 0.25, 1], dtype=torch.float64)
    >>> frames_at(frames, conv4, times).squeeze()
    tensor([10.0000, 12.5000, 20.0000])
    """
    last = frames.shape[-2] - 1
    places = (times - stage.centre) / stage.hop - first
    places = places.clamp(0, last).to(frames.device)
    left = places.floor().long()
    right = (left + 1).clamp(max=last)
    weight = (places - left).to(frames)[:, None]
    return torch.lerp(frames[..., left, :], frames[..., right, :], weight)
