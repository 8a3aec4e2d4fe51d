"""Time arithmetic of frames: hop, centre, receptive field and shortest input of each stage.

Every stage is a chain of sliding windows (convolutions and poolings). A window with kernel `k`,
stride `s` and padding `p` that slides over frames that are `hop` samples apart, the first one
centred at sample `centre` with a receptive field of `receptive_field` samples, yields frames with

    hop'             = hop * s
    centre'          = centre + hop * ((k - 1) / 2 - p)
    receptive_field' = receptive_field + hop * (k - 1)

because its first window begins `p` frames before the first one, is `k` frames long, and its middle
lies (k - 1) / 2 frames after its beginning. The waveform itself has hop 1, centre 0 and receptive
field 1. From `n` frames a window yields ``(n + 2 p - k) // s + 1``; solving that for `n` gives the
shortest input. All centres are multiples of one half, so that float64 represents them exactly at
any realistic length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from hear_brainsoundnet.soundnet import LAYERS, Layer


@dataclass(frozen=True)
class Window:
    """One convolution or pooling: kernel, stride and (two-sided) padding, in frames."""

    kernel: int
    stride: int
    padding: int

    def n_out(self, n_in: int) -> int:
        if n_in == 0:  # no output without input, whatever the padding
            return 0
        return max(0, (n_in + 2 * self.padding - self.kernel) // self.stride + 1)

    def shortest_in(self, n_out: int) -> int:
        return max(1, (n_out - 1) * self.stride + self.kernel - 2 * self.padding)


@dataclass(frozen=True)
class StageGeometry:
    """Time arithmetic of one stage, in samples at the network's rate.

    Frame `k` is centred at sample ``centre + k * hop`` and depends on the samples from
    ``field_start(k)`` up to but not including ``field_stop(k)``.

    Attributes
    ----------
    name : str
        The stage.
    channels : int
        Width of a frame.
    hop : int
        Samples from one frame to the next.
    centre : float
        Sample on which frame 0 is centred; a multiple of one half, negative where padding
        reaches past the clip's beginning.
    receptive_field : int
        Number of samples that can change a frame.
    windows : tuple of Window
        The chain from the waveform to the stage.
    """

    name: str
    channels: int
    hop: int
    centre: float
    receptive_field: int
    windows: tuple[Window, ...]

    def n_frames(self, n_samples: int) -> int:
        """Number of frames that the network yields for a clip of `n_samples`.

        Examples
        --------
        >>> stage_geometry()["conv4"].n_frames(22050)
        23
        """
        n = n_samples
        for window in self.windows:
            n = window.n_out(n)
        return n

    def shortest_input(self, n_frames: int = 1) -> int:
        """Number of samples of the shortest clip that yields `n_frames` (at least 1).

        Examples
        --------
        >>> stage_geometry()["conv7"].shortest_input()
        4574
        """
        n = n_frames
        for window in reversed(self.windows):
            n = window.shortest_in(n)
        return n

    def field_start(self, frame: int) -> int:
        """First sample in the receptive field of frame `frame`; negative inside the padding."""
        return round(self.centre - (self.receptive_field - 1) / 2) + frame * self.hop

    def field_stop(self, frame: int) -> int:
        """One past the last sample in the receptive field of frame `frame`."""
        return self.field_start(frame) + self.receptive_field

    def frames_within(self, n_samples: int | Fraction) -> range:
        """The frames whose centre lies within a clip: 0 <= centre + k * hop < n_samples.

        A fraction is exact for clips recorded at another rate, whose length need not be a whole
        number of samples here.

        Examples
        --------
        >>> stage_geometry()["conv4"].frames_within(22050)
        range(1, 22)
        """
        centre = Fraction(self.centre)
        first = max(0, -((centre / self.hop).__floor__()))
        stop = max(first, ((Fraction(n_samples) - centre) / self.hop).__ceil__())
        return range(first, stop)


def stage_geometry(layers: Sequence[Layer] = LAYERS) -> dict[str, StageGeometry]:
    """Geometry of every stage of a layer table, in order.

    Examples
    --------
    >>> conv4 = stage_geometry()["conv4"]
    >>> conv4.hop, conv4.centre, conv4.receptive_field
    (1024, -273.5, 8222)
    """
    stages: dict[str, StageGeometry] = {}
    hop, centre, receptive_field = 1, 0.0, 1
    windows: tuple[Window, ...] = ()
    for layer in layers:
        steps = [(layer.name, Window(layer.kernel, layer.stride, layer.padding))]
        if layer.pool_name is not None:
            steps.append((layer.pool_name, Window(layer.pool, layer.pool, 0)))
        for name, window in steps:
            centre += hop * ((window.kernel - 1) / 2 - window.padding)
            receptive_field += hop * (window.kernel - 1)
            hop *= window.stride
            windows += (window,)
            stages[name] = StageGeometry(
                name, layer.channels, hop, centre, receptive_field, windows
            )
    return stages


def frames_at(frames: Tensor, stage: StageGeometry, times: Tensor, *, first: int = 0) -> Tensor:
    """Interpolate linearly between frame centres; end values are held beyond the ends.

    Parameters
    ----------
    frames : Tensor
        Shape ``(..., n_frames, n_channels)``; the first is frame number `first` of the clip.
    stage : StageGeometry
        The stage of the frames.
    times : Tensor
        In samples at the network's rate, float64, shape ``(n_times,)``. The result has shape
        ``(..., n_times, n_channels)``.

    Examples
    --------
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
