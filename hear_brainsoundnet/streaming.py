"""Frames of clips: of one of any length in several passes, of several lengths in one pass.

:func:`stream_frames` divides a long clip into overlapping segments whose kept frames tile those of
the whole clip. A segment begins at a multiple of the largest hop, so that its frames coincide with
frames of the whole clip. Frames near an edge of a segment depend on zero padding where the clip has
samples; they are dropped here and computed in the neighbouring segment. The receptive fields alone
determine which: a frame is valid if its receptive field lies within the segment, or extends past an
edge that is also the clip's. Every kept frame therefore equals the frame computed from the whole
clip.

:func:`masked_frames` takes zero-padded clips. Such a clip is not equivalent to the clip alone:
after the first layer silence is no longer zero, while beyond the end of a clip it is padded with
zeros. So after each layer the frames beyond the end of their own clip are set to zero, which gives
exactly the network's output for the clip alone. Lengths are tensors there, so that the computation
can be traced for any length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.geometry import StageGeometry, frames_at, stage_geometry
from hear_brainsoundnet.soundnet import SoundNet


@dataclass(frozen=True)
class Segment:
    """Samples `start` to `stop` of a clip at the network's rate, and the frames to keep of them.

    For each stage, `kept` says which of the segment's own frames are kept, and `position` is the
    index of the first of these in the whole clip.
    """

    start: int
    stop: int
    kept: dict[str, slice]
    position: dict[str, int]


def segments(n_samples: int, stages: Sequence[StageGeometry], longest: int) -> Iterator[Segment]:
    """Segments that together yield every frame of every stage exactly once.

    `longest` is the upper limit for the length of a segment where the receptive fields allow it (in
    samples); a clip up to this length is one segment. Every stage must yield at least one frame.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> conv4 = stage_geometry()["conv4"]
    >>> [(s.start, s.stop) for s in segments(100_000, [conv4], longest=50_000)]
    [(0, 44798), (36864, 86782), (78848, 100000)]
    """
    hop = max(stage.hop for stage in stages)
    n_frames = {stage.name: stage.n_frames(n_samples) for stage in stages}
    # Extent of the receptive fields before and after the frames that a segment keeps.
    before = hop * -(min(stage.field_start(0) for stage in stages) // hop)
    after = max(0, *(stage.field_stop(0) - stage.hop for stage in stages))
    if n_samples <= longest:
        step, n_steps = n_samples, 1
    else:
        step = hop * max(1, (longest - before - after) // hop)
        n_steps = max(-(-n_frames[stage.name] * stage.hop // step) for stage in stages)
    for i in range(n_steps):
        start = max(0, i * step - before)
        stop = n_samples if i == n_steps - 1 else min(n_samples, (i + 1) * step + after)
        kept, position = {}, {}
        for stage in stages:
            first = min(i * step // stage.hop, n_frames[stage.name])
            last = min((i + 1) * step // stage.hop, n_frames[stage.name])
            if i == n_steps - 1:
                last = n_frames[stage.name]
            offset = start // stage.hop
            kept[stage.name] = slice(first - offset, last - offset)
            position[stage.name] = first
        yield Segment(start, stop, kept, position)


class StageFrames(NamedTuple):
    """Successive frames of one stage, ``(n_sounds, channels, n_frames)``; `first` is the position
    of the first of them among the frames of the whole clip.
    """

    values: Tensor
    first: int


class Stages(Protocol):
    """A network that returns the activations of named stages, such as SoundNet."""

    def __call__(self, audio: Tensor, stages: Collection[str], /) -> dict[str, Tensor]: ...


def stream_frames(
    network: Stages,
    stages: Sequence[StageGeometry],
    n_samples: int,
    read: Callable[[int, int], Tensor],
    longest: int,
) -> Iterator[dict[str, StageFrames]]:
    """Every frame of every stage once, in the order of time, equal to those of the whole clip.

    Parameters
    ----------
    network : callable
        In evaluation mode.
    stages : sequence of StageGeometry
        Requested stages, at least one.
    n_samples : int
        Length at the network's rate; every stage must yield at least one frame for it.
    read : callable
        Samples `start` to `stop` as the network expects them, ``(n_sounds, stop - start)``; starts
        never decrease.
    longest : int
        Upper limit of samples in one pass; see :func:`segments`.

    Yields
    ------
    dict of str to StageFrames
        For each stage the frames of one pass; possibly none of a slow stage.

    Examples
    --------
    >>> import torch
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> from hear_brainsoundnet.soundnet import SoundNet
    >>> audio, conv5 = torch.zeros(1, 60_000), stage_geometry()["conv5"]
    >>> passes = stream_frames(
    ...     SoundNet().eval(), [conv5], 60_000, lambda start, stop: audio[:, start:stop], 40_000
    ... )
    >>> [(len(frames["conv5"].values[0, 0]), frames["conv5"].first) for frames in passes]
    [(14, 0), (14, 14), (3, 28)]
    """
    names = [stage.name for stage in stages]
    for segment in segments(n_samples, stages, longest):
        activations = network(read(segment.start, segment.stop), names)
        yield {
            name: StageFrames(activations[name][:, :, segment.kept[name]], segment.position[name])
            for name in names
        }


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
        Names of stages; for each of them frames ``(n_clips, channels, n_frames)`` and numbers
        shaped as `n_samples` are returned.
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
    """Masked frames at `times`, ``(n_clips, n_times, channels)``; see :func:`frames_at`.

    The last frame of each clip is held beyond its end.
    """
    places = torch.arange(frames.shape[2], device=frames.device)
    own = torch.minimum(places, numbers[:, None] - 1)[:, None].expand_as(frames)
    return frames_at(frames.gather(2, own).transpose(1, 2), stage, times)
