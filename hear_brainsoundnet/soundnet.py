"""SoundNet: the layer table and the network built from it.

The table below is the single definition of kernel sizes, strides, paddings and widths. All time
arithmetic (hops, receptive fields, shortest inputs) is derived from it in
:mod:`hear_brainsoundnet.geometry`.

Reference: Y. Aytar, C. Vondrick and A. Torralba, "SoundNet: Learning Sound
Representations from Unlabeled Video", NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.modes import is_traced

BATCHNORM_EPS = 1e-5


@dataclass(frozen=True)
class Layer:
    """One block of the network: Conv1d (with bias), BatchNorm1d, ReLU and perhaps max-pooling.

    Attributes
    ----------
    name : str
        Name of the stage after the ReLU, for example ``"conv1"``.
    kernel, stride, padding : int
        Of the convolution, in frames of the stage below. The padding is added on both sides.
    channels : int
        Number of output channels.
    pool : int
        Width and stride of the max-pooling after the ReLU; 0 for none. Its output is the stage
        ``conv`` -> ``pool``, for example ``"pool1"``.
    """

    name: str
    kernel: int
    stride: int
    padding: int
    channels: int
    pool: int = 0

    @property
    def pool_name(self) -> str | None:
        """Name of the stage after the pooling, or None without pooling."""
        return self.name.replace("conv", "pool") if self.pool else None


@dataclass(frozen=True)
class Head:
    """A classifier of the original network: a plain convolution on top of the last stage."""

    name: str
    kernel: int
    stride: int
    channels: int


LAYERS = (
    Layer("conv1", kernel=64, stride=2, padding=32, channels=16, pool=8),
    Layer("conv2", kernel=32, stride=2, padding=16, channels=32, pool=8),
    Layer("conv3", kernel=16, stride=2, padding=8, channels=64),
    Layer("conv4", kernel=8, stride=2, padding=4, channels=128),
    Layer("conv5", kernel=4, stride=2, padding=2, channels=256, pool=4),
    Layer("conv6", kernel=4, stride=2, padding=2, channels=512),
    Layer("conv7", kernel=4, stride=2, padding=2, channels=1024),
)

HEADS = (
    Head("objects", kernel=8, stride=2, channels=1000),
    Head("scenes", kernel=8, stride=2, channels=401),
)


def stage_names(layers: Sequence[Layer] = LAYERS) -> tuple[str, ...]:
    """Names of all stages, in order.

    Examples
    --------
    >>> stage_names()
    ('conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'conv4', 'conv5', 'pool5', 'conv6', 'conv7')
    """
    return tuple(
        name for layer in layers for name in (layer.name, layer.pool_name) if name is not None
    )


class ConvBlock(nn.Module):
    """Conv1d - BatchNorm1d - ReLU."""

    def __init__(self, layer: Layer, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            in_channels, layer.channels, layer.kernel, stride=layer.stride, padding=layer.padding
        )
        self.norm = nn.BatchNorm1d(layer.channels, eps=BATCHNORM_EPS)

    def forward(self, frames: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(frames)), inplace=True)


class ByName(nn.ModuleDict):
    """ModuleDict that accepts any name, also of module attributes: a subject can be named "keys".

    Examples
    --------
    >>> list(ByName({"keys": nn.Identity(), "training": nn.Identity()}).keys())
    ['keys', 'training']
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        # Items are accessed only by `self[name]`, so that they hide no attribute.
        cast(dict[str, nn.Module | None], self._modules)[name] = module

    def train(self, mode: bool = True) -> ByName:
        object.__setattr__(self, "training", mode)  # beside a module of that name
        for module in self.children():
            module.train(mode)
        return self


class SoundNet(nn.Module):
    """The network, from a waveform to the activations of any of its stages.

    Parameters
    ----------
    layers : sequence of Layer
        The layer table; the default is the published network.
    heads : sequence of Head
        Classifiers on the last stage (:data:`HEADS` for the published ones); none by default.

    Examples
    --------
    >>> import torch
    >>> soundnet = SoundNet().eval()
    >>> stages = soundnet(torch.zeros(2, 22050), ["conv4", "conv7"])
    >>> stages["conv4"].shape, stages["conv7"].shape
    (torch.Size([2, 128, 23]), torch.Size([2, 1024, 2]))
    """

    def __init__(self, layers: Sequence[Layer] = LAYERS, heads: Sequence[Head] = ()) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.stage_names = stage_names(self.layers)
        self.pool_widths = {layer.pool_name: layer.pool for layer in self.layers if layer.pool}
        in_channels = 1
        for layer in self.layers:
            self.add_module(layer.name, ConvBlock(layer, in_channels))
            in_channels = layer.channels
        self.head_table = tuple(heads)
        self.heads = ByName(
            {
                head.name: nn.Conv1d(in_channels, head.channels, head.kernel, stride=head.stride)
                for head in self.head_table
            }
        )

    def block(self, name: str) -> ConvBlock:
        """The block `name` of the layer table."""
        return cast(ConvBlock, self._modules[name])

    def forward(self, audio: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations of the named stages; nothing above the deepest of them is computed.

        Parameters
        ----------
        audio : Tensor
            Shape ``(n_sounds, n_samples)``, at the network's own rate and amplitude scale.
        stages : iterable of str
            Stage or head names.

        Returns
        -------
        dict of Tensor
            For each stage ``(n_sounds, channels, n_frames)``; "conv" stages are taken after the
            ReLU and before the pooling.

        Raises
        ------
        ValueError
            If a name is not a stage or head of this network.
        """
        return self._run(audio.unsqueeze(1), 0, list(stages))

    def continue_from(self, stage: str, frames: Tensor, stages: Iterable[str]) -> dict[str, Tensor]:
        """Activations of stages at or above `stage`, of which `frames` are the activations.

        Shapes and errors are those of :meth:`forward`; a stage below `stage` is an error, too.

        Examples
        --------
        >>> import torch
        >>> soundnet, audio = SoundNet().eval(), torch.randn(1, 22050)
        >>> known = soundnet(audio, ["conv3", "conv5"])
        >>> above = soundnet.continue_from("conv3", known["conv3"], ["conv5"])
        >>> torch.equal(above["conv5"], known["conv5"])
        True
        """
        return self._run(frames, self.place_after(stage), list(stages))

    def place_after(self, stage: str) -> int:
        """Index of the stage after `stage`, for :meth:`path`."""
        if stage not in self.stage_names:
            raise ValueError(f"unknown stage {stage!r}; choose from {', '.join(self.stage_names)}")
        return self.stage_names.index(stage) + 1

    def path(self, first: int, wanted: Sequence[str]) -> tuple[str, ...]:
        """Stages to compute, from index `first` to the deepest requested.

        Raises
        ------
        ValueError
            If a name is not a stage or head of this network, or lies below the stage before
            `first`.
        """
        for name in wanted:
            if name not in self.stage_names and name not in self.heads:
                known = ", ".join((*self.stage_names, *self.heads))
                raise ValueError(f"unknown stage {name!r}; this network has {known}")
        depths = [self.stage_names.index(name) for name in wanted if name in self.stage_names]
        has_heads = len(depths) < len(wanted)
        deepest = len(self.stage_names) - 1 if has_heads else max(depths, default=-1)
        if min(depths, default=deepest) < first - 1:
            raise ValueError(
                f"{self.stage_names[min(depths)]} lies below {self.stage_names[first - 1]}, from "
                "which the network is to continue"
            )
        return self.stage_names[first : deepest + 1]

    def _run(self, frames: Tensor, first: int, wanted: list[str]) -> dict[str, Tensor]:
        """`frames` through the stages from index `first` to the deepest requested."""
        path = self.path(first, wanted)
        outputs: dict[str, Tensor] = {}
        if first and self.stage_names[first - 1] in wanted:
            outputs[self.stage_names[first - 1]] = frames
        for name in path:
            if name in self.pool_widths:
                frames = _max_pool(frames, self.pool_widths[name])
            else:
                frames = self.block(name)(frames)
            if name in wanted:
                outputs[name] = frames
        for name in wanted:
            if name in self.heads:
                outputs[name] = self.heads[name](frames)
        return outputs


def _max_pool(frames: Tensor, width: int) -> Tensor:
    if not is_traced():
        return F.max_pool1d(frames, width)
    # That specialises lengths, and so does checking whether windows fill the frames.
    first = torch.arange(frames.shape[2] // width, device=frames.device) * width
    highest = frames.index_select(2, first)
    for place in range(1, width):
        highest = torch.maximum(highest, frames.index_select(2, first + place))
    return highest
