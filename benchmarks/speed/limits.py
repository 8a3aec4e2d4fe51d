"""Limits of the machine: SoundNet's arithmetic, and the rate of matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS, Layer

MATRIX_SIZE = 2048  # size of the matrices for measuring the rate


def flop_per_second_of_audio(
    deepest: str, layers: Sequence[Layer] = LAYERS, sample_rate: int = 22_050
) -> float:
    """Floating-point operations of the convolutions up to a stage per second of audio.

    An output value takes ``kernel * in_channels`` products and as many sums; a stage yields
    ``sample_rate / hop`` frames of `channels` values per second. Resampling, normalisation and
    pooling are not counted.

    Parameters
    ----------
    deepest : str
        Name of the deepest convolution counted.

    Raises
    ------
    ValueError
        If there is no such convolution.

    Examples
    --------
    >>> round(flop_per_second_of_audio("conv7") / 1e6)
    58
    """
    names = [layer.name for layer in layers]
    if deepest not in names:
        raise ValueError(f"expected one of {', '.join(names)}, got {deepest!r}")
    stages = stage_geometry(layers)
    flop, in_channels = 0.0, 1
    for layer in layers[: names.index(deepest) + 1]:
        per_number = 2 * layer.kernel * in_channels
        flop += per_number * layer.channels * sample_rate / stages[layer.name].hop
        in_channels = layer.channels
    return flop


def flop_of_product(size: int = MATRIX_SIZE) -> int:
    """Floating-point operations of :class:`MatrixProduct`."""
    return 2 * size**3


class MatrixProduct:
    """A large matrix product, the fastest operation of a CPU.

    Examples
    --------
    >>> MatrixProduct(64)().shape
    torch.Size([64, 64])
    """

    def __init__(self, size: int = MATRIX_SIZE) -> None:
        generator = torch.Generator().manual_seed(0)
        self.left = torch.rand(size, size, generator=generator)
        self.right = torch.rand(size, size, generator=generator)

    def __call__(self) -> torch.Tensor:
        return self.left @ self.right
