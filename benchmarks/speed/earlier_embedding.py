"""Reimplementation of the earlier public embedding wrapper, for comparison.

Differences to this package:

- the network is two-dimensional, with a second axis of length one;
- the resampler, including its kernel, is rebuilt at each call;
- the clip is resampled and embedded as a whole, however long it is;
- the activations of all seven layers are copied to numpy, whichever is requested. (A layer here
includes its pooling, so that the longest tables are not copied: the lenient
interpretation.)

The scene embedding is conv7 averaged over time, the timestamp embedding the frames of conv4: the
preset "paper" of :class:`hear_brainsoundnet.EmbeddingModel`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.speed.earlier_recipe import two_dimensional_blocks
from hear_brainsoundnet.checkpoint import Checkpoint

Activations = dict[str, NDArray[np.float32]]


class EarlierEmbedding:
    """A checkpoint run as in the earlier wrapper.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights, with the rate and amplitude scale they expect.

    Examples
    --------
    >>> from hear_brainsoundnet import load_checkpoint
    >>> earlier = EarlierEmbedding(load_checkpoint("untrained"))
    >>> earlier.scene(torch.zeros(2, 48_000), 48_000).shape
    (2, 1024)
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        soundnet = checkpoint.build_soundnet()
        self.card = checkpoint.card
        self.blocks = nn.ModuleDict(two_dimensional_blocks(soundnet)).eval()

    @torch.no_grad()
    def activations(self, audio: Tensor, sample_rate: int) -> Activations:
        """All layers for clips ``(n_sounds, n_samples)``: ``(n_sounds, channels, n_frames)``."""
        from torchaudio.transforms import Resample

        resampled = Resample(sample_rate, self.card.sample_rate)(audio)
        frames = resampled[:, None, :, None] * self.card.input_scale
        copies: Activations = {}
        for name, layer in self.blocks.items():
            frames = layer(frames)
            copies[name] = frames[..., 0].numpy().copy()
        return copies

    def embed(self, audio: Tensor, sample_rate: int, kind: str) -> NDArray[np.float32]:
        """Embeddings of one kind, {"scene", "timestamps"}."""
        way = self.scene if kind == "scene" else self.timestamps
        return way(audio, sample_rate)

    def scene(self, audio: Tensor, sample_rate: int) -> NDArray[np.float32]:
        """``(n_sounds, 1024)``."""
        return np.asarray(self.activations(audio, sample_rate)["conv7"].mean(axis=2))

    def timestamps(self, audio: Tensor, sample_rate: int) -> NDArray[np.float32]:
        """``(n_sounds, n_frames, 128)``."""
        return self.activations(audio, sample_rate)["conv4"].transpose(0, 2, 1)
