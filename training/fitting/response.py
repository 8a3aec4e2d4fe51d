"""Haemodynamic response of a read-out: learned, canonical, or one delay per target.

With weights ``w[v, c]`` of target `v` and channel `c`, and a response `h[v]` over K delays, a
constrained read-out has the weights

    weight[v, c, K - 1 - d] = h[v, d] w[v, c],

an ordinary finite impulse response, so that checkpoints and predictions do not differ. `h` is fixed
while `w` is trained: the canonical response, the same for all targets, or 1 at a single delay,
which the ridge start selects for each target.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hear_brainsoundnet.encoder import BrainEncoder

OVERSAMPLING = 50  # nilearn's default
WEIGHT = "weight"


def canonical_response(tr: float) -> NDArray[np.float64]:
    """SPM's canonical response at lags of 0, 1, ... TRs, 32 seconds of it, ``(n_delays,)``.

    Examples
    --------
    >>> response = canonical_response(2.0)
    >>> len(response), int(response.argmax())
    (16, 3)
    """
    from nilearn.glm.first_level import spm_hrf

    response = spm_hrf(tr, OVERSAMPLING)[::OVERSAMPLING]
    return np.asarray(response / np.linalg.norm(response))


def n_delays(hrf: str, tr: float, chosen: int) -> int:
    """Number of TRs that a prediction depends on; that of a canonical response is its own."""
    return len(canonical_response(tr)) if hrf == "canonical" else chosen


class FixedResponse(nn.Module):
    """Parametrisation of a read-out's weights by those of channels.

    Parameters
    ----------
    kernels : Tensor
        The responses, of norm 1, in the order of the weights: ``(n_targets, n_delays)``.
    is_selected : bool
        Whether the ridge start selects them.
    """

    kernels: Tensor

    def __init__(self, kernels: Tensor, *, is_selected: bool) -> None:
        super().__init__()
        self.register_buffer("kernels", kernels)
        self.is_selected = is_selected

    def forward(self, channels: Tensor) -> Tensor:
        """``(n_targets, n_channels, 1)`` to ``(n_targets, n_channels, n_delays)``."""
        return channels * self.kernels[:, None]

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The nearest weights of channels."""
        return (weight * self.kernels[:, None]).sum(dim=2, keepdim=True)


def constrain(encoder: BrainEncoder, hrf: str) -> None:
    """Constrain all read-outs; "fir" leaves them as they are."""
    if hrf == "fir":
        return
    for head in _heads(encoder):
        n_targets, _, length = head.weight.shape
        if hrf == "canonical":
            kernel = torch.from_numpy(canonical_response(encoder.read_out.tr)[::-1].copy()).float()
        else:
            kernel = torch.eye(length)[-1]
        response = FixedResponse(kernel.repeat(n_targets, 1), is_selected=hrf == "delay")
        parametrize.register_parametrization(head, WEIGHT, response, unsafe=True)


def fixed_response(head: nn.Module) -> FixedResponse | None:
    """The constraint of a read-out, or None."""
    if not parametrize.is_parametrized(head, WEIGHT):
        return None
    response = head.get_submodule(f"parametrizations.{WEIGHT}.0")
    assert isinstance(response, FixedResponse)
    return response


def channel_weights(head: nn.Module) -> nn.Parameter:
    """The trained weights of a constrained read-out, ``(n_targets, n_channels, 1)``."""
    return head.get_parameter(f"parametrizations.{WEIGHT}.original")


def unconstrained(encoder: BrainEncoder) -> BrainEncoder:
    """The encoder with ordinary weights; if it is constrained, another one of the same network."""
    if not any(fixed_response(head) for head in encoder.heads.values()):
        return encoder
    with torch.random.fork_rng(devices=[]):  # its random weights are not kept
        plain = BrainEncoder(encoder.soundnet, encoder.read_out, encoder.sample_rate)
    with torch.no_grad():
        for own, head in zip(_heads(plain), _heads(encoder), strict=True):
            own.weight.copy_(head.weight)
            own.get_parameter("bias").copy_(head.get_parameter("bias"))
    return plain


def _heads(encoder: BrainEncoder) -> list[nn.Conv1d]:
    return [head for head in encoder.heads.values() if isinstance(head, nn.Conv1d)]
