"""Input level of networks."""

from __future__ import annotations

from torch import Tensor


def to_peak(audio: Tensor, peak: float) -> Tensor:
    """Scale each sound to a largest absolute sample.

    Parameters
    ----------
    audio : Tensor
        ``(n_sounds, n_samples)``.
    peak : float
        In (0, 1].

    Raises
    ------
    ValueError
        If a sound is silent.

    Examples
    --------
    >>> import torch
    >>> to_peak(torch.tensor([[0.0, -0.5]]), 1.0)
    tensor([[ 0., -1.]])
    """
    refuse_silence(audio)
    return audio / audio.abs().amax(dim=1, keepdim=True) * peak


def to_rms(audio: Tensor, rms: float) -> Tensor:
    """Remove the mean of each sound and scale it to a root mean square; see `to_peak`.

    Examples
    --------
    >>> import torch
    >>> to_rms(torch.tensor([[1.0, 3.0]]), 0.5)
    tensor([[-0.5000,  0.5000]])
    """
    refuse_silence(audio)
    centred = audio - audio.mean(dim=1, keepdim=True)
    return centred / centred.square().mean(dim=1, keepdim=True).sqrt() * rms


def refuse_silence(audio: Tensor) -> None:
    """Raise ValueError if a sound is constant: its level cannot be scaled."""
    constant = (audio == audio[:, :1]).all(dim=1)
    if constant.any():
        number = int(constant.nonzero()[0])
        raise ValueError(
            f"sound {number} of {len(audio)} is silent (all its samples are equal); this network "
            "scales its input by its level, so leave silent sounds out"
        )
