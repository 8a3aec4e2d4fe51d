"""Frames of a clip of any length, computed in passes of bounded size: :func:`stream_frames`.

A long clip is divided into overlapping segments whose kept frames tile those of the whole clip.

A segment begins at a multiple of the largest hop, so that its frames coincide with frames of the
whole clip. Frames near an edge of a segment depend on zero padding where the clip has samples; they
are dropped here and computed in the neighbouring segment. The receptive fields alone determine
which: a frame is valid if its receptive field lies within the segment, or extends past an edge that
is also the clip's. Every kept frame therefore equals the frame computed from the whole clip.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from hear_brainsoundnet.geometry import StageGeometry


@dataclass(frozen=True)
class Segment:
    """Samples `start` to `stop` of a clip, and the frames to keep of them.

    Attributes
    ----------
    start, stop : int
        In samples at the network's rate.
    kept : dict of str to slice
        For each stage, which of the segment's own frames are kept.
    position : dict of str to int
        For each stage, index of the first kept frame in the whole clip.
    """

    start: int
    stop: int
    kept: dict[str, slice]
    position: dict[str, int]


def segments(n_samples: int, stages: Sequence[StageGeometry], longest: int) -> Iterator[Segment]:
    """Segments that together yield every frame of every stage exactly once.

    Parameters
    ----------
    n_samples : int
        Length of the clip; every stage must yield at least one frame for it.
    stages : sequence of StageGeometry
        Requested stages.
    longest : int
        Upper limit for the length of a segment where the receptive fields allow it (in samples);
        a clip up to this length is one segment.

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
    """Successive frames of one stage.

    Attributes
    ----------
    values : Tensor
        ``(n_sounds, channels, n_frames)``.
    first : int
        Position of the first of them among the frames of the whole clip.
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
