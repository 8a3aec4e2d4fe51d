"""The untrained checkpoint: random weights with BatchNorm statistics calibrated on audio.

A network with random weights is the baseline for every trained one. Two details matter:

- Each kernel is drawn from a normal distribution under a Hann window over its taps, so that a unit
is most sensitive to the middle of its receptive field and its response is centred on its label.
- BatchNorm gets the measured mean and variance of each stage on synthetic audio (tones,
noises, chirps and clicks over a wide range of levels), as after training. With its
initial statistics (0 and 1) the activations would shrink from stage to stage.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import write_checkpoint
from hear_brainsoundnet.soundnet import SoundNet

SAMPLE_RATE = 22_050
SEED = 2016


def calibration_sounds(seed: int, n_sounds: int = 48, duration: float = 6.0) -> Tensor:
    """Synthetic clips of four kinds at levels from -40 to 0 dB, ``(n_sounds, n_samples)``.

    Examples
    --------
    >>> sounds = calibration_sounds(seed=0, n_sounds=4, duration=0.5)
    >>> sounds.shape, bool(sounds.abs().max() <= 1)
    (torch.Size([4, 11025]), True)
    """
    generator = np.random.default_rng(seed)
    n_samples = int(duration * SAMPLE_RATE)
    time = np.arange(n_samples) / SAMPLE_RATE
    sounds = []
    for i in range(n_sounds):
        if i % 4 == 0:  # harmonic tone, slowly modulated
            pitch = 80 * 2 ** generator.uniform(0, 4)
            n_harmonics = max(1, min(30, int(10_000 / pitch)))
            slope = generator.uniform(0.5, 2)
            sound = sum(
                np.sin(2 * np.pi * pitch * h * time + generator.uniform(0, 2 * np.pi)) / h**slope
                for h in range(1, n_harmonics + 1)
            )
        elif i % 4 == 1:  # noise with a spectral slope of 0 to -12 dB per octave
            spectrum = np.fft.rfft(generator.standard_normal(n_samples))
            frequency = np.maximum(np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE), 20)
            sound = np.fft.irfft(spectrum / frequency ** generator.uniform(0, 2), n_samples)
        elif i % 4 == 2:  # chirp up and down
            low, high = sorted(50 * 2 ** generator.uniform(0, 7, size=2))
            sweep = low * (high / low) ** (0.5 - 0.5 * np.cos(2 * np.pi * time / duration * 3))
            sound = np.sin(2 * np.pi * np.cumsum(sweep) / SAMPLE_RATE)
        else:  # ringing clicks
            sound = np.zeros(n_samples)
            ring = np.exp(-time[:4000] * generator.uniform(20, 400))
            ring = ring * np.sin(2 * np.pi * time[:4000] * 100 * 2 ** generator.uniform(0, 6))
            for start in generator.integers(0, n_samples - 4000, size=12):
                sound[start : start + 4000] += generator.uniform(0.1, 1) * ring
        depth, rate = generator.uniform(0, 1), 2 ** generator.uniform(-1, 5)
        sound = sound * (1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * time)))
        level = 10 ** (generator.uniform(-40, 0) / 20)
        sounds.append(level * sound / np.abs(sound).max())
    return torch.from_numpy(np.stack(sounds).astype(np.float32))


@torch.no_grad()
def untrained_soundnet(seed: int) -> SoundNet:
    """SoundNet with random weights and calibrated BatchNorm; takes a few seconds.

    Examples
    --------
    >>> untrained_soundnet(seed=1).training  # doctest: +SKIP
    False
    """
    soundnet = SoundNet().eval()
    generator = torch.Generator().manual_seed(seed)
    frames = calibration_sounds(seed)[:, None, :]
    for layer in soundnet.layers:
        block = soundnet.block(layer.name)
        conv, norm = block.conv, block.norm
        assert conv.bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        window = torch.hann_window(layer.kernel + 2, periodic=False)[1:-1]
        gain = math.sqrt(1 / (conv.in_channels * float(window.square().sum())))
        weight = torch.randn(conv.weight.shape, generator=generator) * window * gain
        conv.weight.copy_(weight.half().float())  # as rounded on disk
        conv.bias.zero_()
        output = conv(frames)
        norm.running_mean.copy_(output.mean(dim=(0, 2), dtype=torch.float64))
        norm.running_var.copy_(output.var(dim=(0, 2)))
        frames = block(frames)
        if layer.pool:
            frames = torch.nn.functional.max_pool1d(frames, layer.pool)
    return soundnet


def write_untrained(path: str | Path, seed: int = SEED) -> str:
    """Write the untrained checkpoint; returns its hash."""
    card = Card(
        name="soundnet-untrained",
        trained=False,
        input_scale=1.0,
        sample_rate=SAMPLE_RATE,
        provenance={
            "weights": "random: normal under a Hann window over each kernel",
            "batchnorm": "mean and variance on synthetic tones, noises, chirps and clicks",
            "seed": seed,
            "command": f"python -m training untrained OUT.safetensors --seed {seed}",
        },
        licence="CC BY 4.0",
        use=(
            "A control and a stand-in: it has learned nothing. For real use convert the original "
            "SoundNet weights or the published brain-aligned ones (hear-brainsoundnet convert)."
        ),
    )
    return write_checkpoint(path, card, untrained_soundnet(seed), dtype=torch.float16)
