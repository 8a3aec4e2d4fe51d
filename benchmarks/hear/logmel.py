"""Baseline with the HEAR API: the log-mel spectrogram, and its mean and std over time.

No weights, no training. A useful model must exceed it.

>>> model = load_model()
>>> scene = get_scene_embeddings(torch.zeros(2, 48000), model)
>>> tuple(scene.shape)
(2, 256)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training import sound_features

N_BANDS = 128
FRAMES_PER_SECOND = 25  # divides all rates of HEAR, so that frames are at whole samples
WINDOW_SECONDS = 0.05
COARSEST_BIN_HZ = 12.0  # narrower than the lowest of 128 bands, which would otherwise be empty
FLOOR = 1e-6


class LogMel(nn.Module):
    """Log-mel frames, frame k centred at ``k / FRAMES_PER_SECOND`` seconds.

    Parameters
    ----------
    sample_rate : int
        Rate of the audio in Hz, a multiple of `FRAMES_PER_SECOND`.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.scene_embedding_size = 2 * N_BANDS
        self.timestamp_embedding_size = N_BANDS
        n_fft = 1
        while sample_rate / n_fft > COARSEST_BIN_HZ:
            n_fft *= 2
        self.spectrogram = sound_features.LogMel(
            sample_rate,
            n_fft,
            sample_rate // FRAMES_PER_SECOND,
            N_BANDS,
            FLOOR,
            win_length=round(WINDOW_SECONDS * sample_rate),
            pad_mode="constant",
        )

    def forward(self, audio: Tensor) -> Tensor:
        """Frames of shape ``(n_sounds, n_frames, 128)``; `audio` is ``(n_sounds, n_samples)``."""
        frames: Tensor = self.spectrogram(audio)
        return frames.transpose(1, 2)


def load_model(model_file_path: str = "", *, sample_rate: int = 48_000) -> LogMel:
    """The model; there is no file to load.

    Raises
    ------
    ValueError
        If a file is given, or the rate is not a multiple of 25 Hz.
    """
    if model_file_path:
        raise ValueError(f"log-mel has no weights, got {model_file_path!r}; leave it out")
    if sample_rate <= 0 or sample_rate % FRAMES_PER_SECOND:
        raise ValueError(
            f"sample_rate must be a positive multiple of {FRAMES_PER_SECOND} Hz, got "
            f"{sample_rate}; use a rate of HEAR, such as 48000"
        )
    return LogMel(sample_rate)


def get_scene_embeddings(audio: Tensor, model: LogMel) -> Tensor:
    """Mean and standard deviation of each band over time, shape ``(n_sounds, 256)``."""
    frames = model(audio)
    return torch.cat([frames.mean(dim=1), frames.std(dim=1, correction=0)], dim=1)


def get_timestamp_embeddings(audio: Tensor, model: LogMel) -> tuple[Tensor, Tensor]:
    """Frames ``(n_sounds, n_frames, 128)`` and their centres in ms ``(n_sounds, n_frames)``."""
    frames = model(audio)
    centres = torch.arange(frames.shape[1], device=frames.device) * (1000.0 / FRAMES_PER_SECOND)
    return frames, centres.repeat(len(frames), 1)
