"""Clips of different lengths in one pass, each with exactly the frames it has alone.

A zero-padded clip is not equivalent to the clip alone: after the first layer silence is no longer
zero, while beyond the end of a clip every layer is padded with zeros. So after each layer the
frames beyond the end of their own clip are set to zero. The result is exactly the network's output
for the clip alone.

Lengths are tensors here, so that the computation can be traced for any length.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
from hear_brainsoundnet.interpolation import frames_at
from hear_brainsoundnet.soundnet import SoundNet


def n_frames(stage: StageGeometry, n_samples: Tensor) -> Tensor:
    """Numbers of frames for clips long enough to have one; as :meth:`StageGeometry.n_frames`.

    Examples
    --------
    >>> n_frames(stage_geometry()["conv4"], torch.tensor([222, 22050]))
    tensor([ 1, 23])
    """
    n = n_samples
    for window in stage.windows:
        span = n + (2 * window.padding - window.kernel)
        n = torch.div(span, window.stride, rounding_mode="floor") + 1
    return n


def shortest_input(stage: StageGeometry, n_frames: Tensor) -> Tensor:
    """Number of samples needed for `n_frames`; as :meth:`StageGeometry.shortest_input`.

    Examples
    --------
    >>> shortest_input(stage_geometry()["conv4"], torch.tensor([1, 23]))
    tensor([  222, 21982])
    """
    n = n_frames
    for window in reversed(stage.windows):
        n = ((n - 1) * window.stride + (window.kernel - 2 * window.padding)).clamp_min(1)
    return n


def masked_frames(
    network: SoundNet | FastSoundNet, audio: Tensor, n_samples: Tensor, wanted: Collection[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Frames of stages, zero beyond the end of each clip, and the number of valid ones.

    Parameters
    ----------
    network : SoundNet or FastSoundNet
        In evaluation mode.
    audio : Tensor
        ``(n_clips, n_longest)``, zero beyond the end of each clip.
    n_samples : Tensor
        Length of each clip, int64 ``(n_clips,)``, or ``(1,)`` for clips of one length.
    wanted : collection of str
        Names of stages.

    Returns
    -------
    dict of (Tensor, Tensor)
        For each of them frames ``(n_clips, channels, n_frames)`` and numbers shaped as `n_samples`.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    soundnet = network.soundnet if isinstance(network, FastSoundNet) else network
    layers = soundnet.layers
    pooled_at_once = {layer.name for layer in layers if layer.pool} - set(wanted)
    below: tuple[str, Tensor] | None = None
    for name, stage in stage_geometry(layers).items():
        if name in pooled_at_once:  # windows lie fully within a clip: no masking needed yet
            continue
        if below is None:
            frames = network(audio, [name])[name]
        else:
            frames = network.continue_from(*below, [name])[name]
        numbers = n_frames(stage, n_samples)
        places = torch.arange(frames.shape[2], device=frames.device)
        frames = frames.masked_fill((places >= numbers[:, None])[:, None], 0)
        if name in wanted:
            found[name] = frames, numbers
        if len(found) == len(wanted):
            break
        below = name, frames
    return found


def held_at(frames: Tensor, numbers: Tensor, stage: StageGeometry, times: Tensor) -> Tensor:
    """Frames at `times`, with the last one of each clip held beyond its end.

    Parameters
    ----------
    frames, numbers
        As for :func:`masked_frames`.
    stage : StageGeometry
        The stage of the frames.
    times : Tensor
        As for :func:`frames_at`.

    Returns
    -------
    Tensor
        Shape ``(n_clips, n_times, channels)``.
    """
    places = torch.arange(frames.shape[2], device=frames.device)
    own = torch.minimum(places, numbers[:, None] - 1)[:, None].expand_as(frames)
    return frames_at(frames.gather(2, own).transpose(1, 2), stage, times)
