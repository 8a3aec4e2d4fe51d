"""Scene embeddings of sliding windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hear_brainsoundnet.audio import Sound, TensorSound
from hear_brainsoundnet.embedding import EmbeddingModel

CLIPS = 8  # windows embedded together, at most
SAMPLES = 2**21  # in total, unless one window has more
SHORTEST = 0.001  # seconds


@dataclass(frozen=True)
class Windows:
    """Windows of `length` seconds, one every `hop` seconds.

    The first begins at 0. The last is the first that reaches the end of the clip, or the last that
    begins within it; it ends with the clip and may be shorter than the others.

    Raises
    ------
    ValueError
        If they are shorter than a millisecond.

    Examples
    --------
    >>> Windows(10, 5).samples(17, sample_rate=1)
    [(0, 10), (5, 15), (10, 17)]
    >>> Windows(10, 5).samples(4, sample_rate=1)
    [(0, 4)]
    """

    length: float
    hop: float

    def __post_init__(self) -> None:
        for name, value in (("window", self.length), ("hop", self.hop)):
            if not (math.isfinite(value) and value >= SHORTEST):
                raise ValueError(f"{name} must be {SHORTEST:g} seconds or more, got {value:g}")

    def samples(self, n_samples: int, sample_rate: int) -> list[tuple[int, int]]:
        """First sample, and the one after the last, of each window of a clip."""
        length = max(1, round(self.length * sample_rate))
        windows: list[tuple[int, int]] = []
        while not windows or windows[-1][1] < n_samples:
            start = round(len(windows) * self.hop * sample_rate)
            if start >= n_samples:
                break
            windows.append((start, min(start + length, n_samples)))
        return windows

    def times(self, n_windows: int, duration: float) -> list[tuple[float, float]]:
        """Start and end in seconds of the first windows of a clip of `duration` seconds."""
        starts = [self.hop * i for i in range(n_windows)]
        return [(start, min(start + self.length, duration)) for start in starts]


def embed_windows(model: EmbeddingModel, sound: Sound, windows: Windows) -> Tensor:
    """Scene embeddings of windows, each embedded as a separate clip, level normalisation included.

    `sound` is one clip; it is read once, sequentially. The result, ``(n_windows,
    model.scene_embedding_size)``, is on the CPU.
    """
    rows: list[Tensor] = []
    clips: list[Tensor] = []

    def embed_clips() -> None:
        if clips:
            found = model.embed(TensorSound(torch.cat(clips), sound.sample_rate), timestamps=False)
            assert found.scene is not None
            rows.append(found.scene.cpu())
            clips.clear()

    for start, stop in windows.samples(sound.n_samples, sound.sample_rate):
        clip = sound.read(start, stop)
        most = max(1, min(CLIPS, SAMPLES // clip.shape[1]))
        if len(clips) >= most or (clips and clips[0].shape != clip.shape):
            embed_clips()
        clips.append(clip)
    embed_clips()
    return torch.cat(rows)
