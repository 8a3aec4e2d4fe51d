"""An encoder of few channels, and sounds for it."""

from dataclasses import replace

import numpy as np
import torch
from rounding import assert_same

from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import LAYERS, SoundNet

NARROW = tuple(replace(layer, channels=4 + i) for i, layer in enumerate(LAYERS))
SCALE = 16.0
IDS = (2, 5, 9)
AFFINE = np.array([[-3.0, 0, 0, 20], [0, 3, 0, -30], [0, 0, 4, 7], [0, 0, 0, 1]])


def encoder_of(tr_sampling="interpolate", *, stage="conv7", names=("sub-01", "sub-02"), **fields):
    """The real geometry with a few channels, whose activations follow the sound."""
    torch.manual_seed(0)
    n_delays, tr = (1, 0.0) if tr_sampling == "mean" else (4, 1.49)
    fields = {"target_names": ("a", "b", "c"), "atlas": "toy", "tr": tr, **fields}
    read_out = ReadOut(
        stage, n_delays, tr_sampling=tr_sampling, target_ids=IDS, names=names, **fields
    )
    encoder = BrainEncoder(SoundNet(NARROW), read_out)
    with torch.no_grad():
        for layer in NARROW:
            encoder.soundnet.block(layer.name).conv.weight.mul_(3)
    return encoder.eval()


def noise(n_samples, seed=0):
    """Noise whose loudness goes up and down, so that responses differ from TR to TR."""
    generator = torch.Generator().manual_seed(seed)
    loudness = torch.arange(n_samples).div(30_000).sin().square()
    return (torch.rand(1, n_samples, generator=generator) * 2 - 1) * loudness


def assert_close(actual, expected):
    """Equal but for rounding; the responses are not constant."""
    assert actual.dtype == torch.float32
    span = float(expected.max() - expected.min())
    assert span > 1e-3 * float(expected.abs().max())
    assert_same(actual, expected)
