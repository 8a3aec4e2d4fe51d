"""How far two ways of computing the same network may be apart: a bound from what is summed.

A sum of `n` products in floating point is off by about ``sqrt(n) * u`` times the magnitude of what
is summed, `u` being the unit roundoff (Higham and Mary 2019, SIAM J. Sci. Comput. 41, A2815: the
probabilistic bound ``lambda * sqrt(n) * u``, here with a lambda of 2). The errors of the layers add
up, and two computations that sum in different orders are each off by as much. Which order a library
takes depends on the processor, the number of threads and the shape of the batch, so that no smaller
bound can be expected to hold on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

import torch
from torch import Tensor

from hear_brainsoundnet.soundnet import LAYERS, Layer

LAMBDA = 2.0
UNIT_ROUNDOFF = torch.finfo(torch.float32).eps / 2


def network_rounding(layers: Sequence[Layer] = LAYERS) -> float:
    """Difference between two float32 computations of the deepest stage, relative to its magnitude.

    Examples
    --------
    >>> f"{network_rounding():.1e}"
    '4.2e-05'
    """
    channels = [1, *(layer.channels for layer in layers)]
    n_terms = [layer.kernel * below for layer, below in zip(layers, channels, strict=False)]
    return 2 * LAMBDA * UNIT_ROUNDOFF * sum(sqrt(n) for n in n_terms)


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Largest absolute difference over the largest absolute value of `expected`."""
    assert found.shape == expected.shape, (tuple(found.shape), tuple(expected.shape))
    if not prod(expected.shape):
        return 0.0
    found, expected = found.detach().double(), expected.detach().double()
    magnitude = float(expected.abs().max())
    difference = float((found - expected).abs().max())
    return difference / magnitude if magnitude else difference


def assert_same(found: Tensor, expected: Tensor, what: str = "") -> None:
    """Of the same network and audio: equal within :func:`network_rounding`."""
    difference = largest_difference(found, expected)
    assert difference <= network_rounding(), f"{what} differs by {difference:.2e} of its magnitude"
