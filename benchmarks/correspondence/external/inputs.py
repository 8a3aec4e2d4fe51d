"""Input of networks: level, and mel spectrograms with librosa's defaults."""

from __future__ import annotations

import torch
import torchaudio
from torch import Tensor


def to_peak(audio: Tensor, peak: float) -> Tensor:
    """Scale each sound of ``(n_sounds, n_samples)`` to a largest absolute sample in (0, 1].

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


def mel_magnitudes(
    audio: Tensor,
    *,
    sample_rate: int,
    n_fft: int,
    win_length: int,
    hop_length: int,
    n_mels: int,
    f_min: float = 0.0,
) -> Tensor:
    """Magnitude (not power) spectrogram on a mel axis.

    Hann windows centred on multiples of `hop_length`, reflection padding at the ends; triangular
    filters of equal area on Slaney's mel scale, up to half the sample rate.

    Parameters
    ----------
    audio : Tensor
        ``(n_sounds, n_samples)``.
    sample_rate, n_fft, win_length, hop_length, n_mels, f_min
        As in ``librosa.feature.melspectrogram(..., power=1, pad_mode="reflect")``.

    Returns
    -------
    Tensor
        ``(n_sounds, n_mels, n_frames)``.

    Raises
    ------
    ValueError
        If the sounds are too short for reflection padding.

    Examples
    --------
    >>> mel_magnitudes(torch.ones(1, 4000), sample_rate=8000, n_fft=512, win_length=400,
    ...                hop_length=80, n_mels=40).shape
    torch.Size([1, 40, 51])
    """
    if audio.shape[1] <= n_fft // 2:
        raise ValueError(
            f"expected sounds of more than {n_fft // 2} samples ({n_fft / 2 / sample_rate:.3f} s), "
            f"got {audio.shape[1]}"
        )
    spectrogram = torch.stft(
        audio,
        n_fft,
        hop_length,
        win_length,
        torch.hann_window(win_length),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    ).abs()
    filters = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1,
        f_min,
        sample_rate / 2,
        n_mels,
        sample_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return filters.T @ spectrogram
