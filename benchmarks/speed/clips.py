"""Speed of embedding clips, against the earlier public code, from 48 kHz tensors.

Four contenders alternate on the same clips: the earlier code, the plain network of this package,
its fast implementation with the same outputs (preset "paper"), and with the default preset. A
product of large matrices, the fastest operation of a CPU, is timed in each round as well, so that
the fraction of the machine's rate refers to the same period.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import geometric_mean, median
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.earlier import EarlierEmbedding
from benchmarks.speed.timing import Comparison, machine, take_turns
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS

RATE = 48_000  # Hz
Kind = Literal["scene", "timestamps"]
KINDS: tuple[Kind, ...] = ("scene", "timestamps")
DEEPEST = {"scene": "conv7", "timestamps": "conv4"}  # of the preset "paper"
DURATIONS = (1.0, 4.0, 10.0, 60.0)  # s
BATCHES = (1, 16)
AUDIO_PER_TURN = 60.0  # s; short clips are repeated up to this duration
LONG = 10.0  # s; from here on the notes give the fraction of the matrix rate
EQUAL = 1e-5  # of the range of the embeddings
MATRIX_SIZE = 2048
MATRIX_FLOP = 2 * MATRIX_SIZE**3


@dataclass(frozen=True)
class ClipSpeed:
    """Speed on clips of one length, in batches of one size, for one kind of embedding.

    Attributes
    ----------
    kind : {"scene", "timestamps"}
    duration : float
        Of a clip, in seconds.
    n_clips, n_repeats : int
        Clips per batch; batches per turn.
    fast, default, reference : Comparison
        With the earlier code: fast implementation with the preset "paper", with the default
        preset, and plain network with the preset "paper".
    matrix_seconds : tuple of float
        Times of the matrix product, in each round.
    difference : float
        Maximal difference between the fast implementation and the plain network, relative to the
        range of the embeddings; the maximum over both presets.
    """

    kind: Kind
    duration: float
    n_clips: int
    n_repeats: int
    fast: Comparison
    default: Comparison
    reference: Comparison
    matrix_seconds: tuple[float, ...]
    difference: float

    def throughput(self, seconds: Sequence[float]) -> float:
        """Seconds of audio per second, median over rounds."""
        return self.duration * self.n_clips * self.n_repeats / median(seconds)

    @property
    def share(self) -> float:
        """Fraction of the measured matrix-product rate that the convolutions reach; median."""
        audio = self.duration * self.n_clips * self.n_repeats
        flop = flop_per_second_of_audio(DEEPEST[self.kind]) * audio
        pairs = zip(self.fast.seconds, self.matrix_seconds, strict=True)
        return median((flop / mine) / (MATRIX_FLOP / product) for mine, product in pairs)

    def row(self) -> dict[str, object]:
        """A row of the results page."""
        return {
            "kind": self.kind,
            "clip (s)": f"{self.duration:g}",
            "batch": self.n_clips,
            **self.fast.speedup_cells(),
            "audio s/s": round(self.throughput(self.fast.seconds)),
            "earlier": round(self.throughput(self.fast.plain_seconds)),
            "plain network": round(self.throughput(self.reference.seconds)),
            "default preset": round(self.throughput(self.default.seconds)),
            "share of matrix rate": self.share,
            "difference / range": f"{self.difference:.1e}",
        }


def clips_document(n_rounds: int) -> dict[str, Any]:
    """One row for each length, size of batch and kind of embedding."""
    at_work = machine()
    speeds = [
        measure_clips(kind, duration, n_clips, n_rounds)
        for kind in KINDS
        for duration in DURATIONS
        for n_clips in BATCHES
    ]
    times = [median(speed.fast.speedups) for speed in speeds]
    rates = [MATRIX_FLOP / each for speed in speeds for each in speed.matrix_seconds]
    share = min(speed.share for speed in speeds if speed.duration >= LONG)
    return {
        "title": "Embedding clips",
        "rows": [speed.row() for speed in speeds],
        "notes": [
            f"Geometric mean over all rows: {geometric_mean(times):.2f} times the earlier recipe, "
            f"the smallest {min(times):.2f}; from {LONG:g} s on at least {share:.0%} of the "
            "machine's rate of products.",
            "Clips of noise from 48 kHz tensors in float32. Earlier: `earlier.py`. All took turns "
            f"in one process on {torch.get_num_threads()} threads; medians over {n_rounds} rounds, "
            "times faster in the same round. The other columns are seconds of audio per second: "
            "the fast way, the earlier recipe, the plain network of this package (these three give "
            'the same: preset "paper"), and the fast way with the default preset, which also takes '
            "spreads over time.",
            f"A product of {MATRIX_SIZE} x {MATRIX_SIZE} matrices took its turn in every round: "
            f"{median(rates) / 1e9:.0f} GFLOP/s ({min(rates) / 1e9:.0f} to "
            f"{max(rates) / 1e9:.0f}). The share counts the convolutions alone, "
            f"{flop_per_second_of_audio('conv7') / 1e6:.0f} MFLOP per second of audio up to conv7, "
            f"{flop_per_second_of_audio('conv4') / 1e6:.0f} up to conv4, and not resampling.",
            "Difference: largest one between the fast way and the plain network, as a share of the "
            f"range of the embeddings, of both presets; a run with more than {EQUAL} fails.",
            at_work.note(),
        ],
        "details": {"machine": asdict(at_work), "speeds": [asdict(speed) for speed in speeds]},
    }


def measure_clips(kind: Kind, duration: float, n_clips: int, n_rounds: int = 5) -> ClipSpeed:
    """Time the contenders in turn on clips of noise, and compare their output.

    Raises
    ------
    ValueError
        If there is no round, or the fast implementation differs from the plain network by more than
        1e-5 of the range.
    """
    checkpoint = load_checkpoint("untrained")
    earlier = EarlierEmbedding(checkpoint)
    models = {
        "fast": EmbeddingModel(checkpoint, sample_rate=RATE, preset="paper"),
        "default": EmbeddingModel(checkpoint, sample_rate=RATE),
        "reference": EmbeddingModel(checkpoint, sample_rate=RATE, preset="paper", reference=True),
    }
    plain_default = EmbeddingModel(checkpoint, sample_rate=RATE, reference=True)
    audio = noise(n_clips, duration, seed=0)
    with torch.no_grad():
        embedded = {name: embed(model, audio, kind) for name, model in models.items()}
        difference = max(
            relative_difference(embedded["fast"], embedded["reference"]),
            relative_difference(embedded["default"], embed(plain_default, audio, kind)),
        )
    if not difference <= EQUAL:
        raise ValueError(
            f"expected {kind} embeddings of the fast way within {EQUAL} of the range of those of "
            f"the plain network, got {difference:.1e} for {n_clips} clips of {duration:g} s"
        )
    n_repeats = math.ceil(AUDIO_PER_TURN / (n_clips * duration))

    @torch.no_grad()
    def again(work: Callable[[], object]) -> None:
        for _ in range(n_repeats):
            work()

    contenders: dict[str, Callable[[], object]] = {
        name: lambda model=model: again(lambda: embed(model, audio, kind))  # type: ignore[misc]
        for name, model in models.items()
    }
    left, right = torch.rand(
        2, MATRIX_SIZE, MATRIX_SIZE, generator=torch.Generator().manual_seed(0)
    )
    compared = take_turns(
        lambda: again(lambda: earlier.embed(audio, RATE, kind)),
        {**contenders, "product": lambda: left @ right},
        n_rounds,
    )
    seconds = compared.pop("product").seconds
    return ClipSpeed(
        kind,
        duration,
        n_clips,
        n_repeats,
        **compared,
        matrix_seconds=seconds,
        difference=difference,
    )


def flop_per_second_of_audio(deepest: str, sample_rate: int = 22_050) -> float:
    """Floating-point operations of SoundNet's convolutions up to a stage per second of audio.

    An output value takes ``kernel * in_channels`` products and as many sums; a stage yields
    ``sample_rate / hop`` frames of `channels` values per second. Resampling, normalisation and
    pooling are not counted.

    Examples
    --------
    >>> round(flop_per_second_of_audio("conv7") / 1e6)
    58
    """
    stages, flop, in_channels = stage_geometry(LAYERS), 0.0, 1
    for layer in LAYERS:
        per_number = 2 * layer.kernel * in_channels
        flop += per_number * layer.channels * sample_rate / stages[layer.name].hop
        in_channels = layer.channels
        if layer.name == deepest:
            return flop
    raise ValueError(f"expected one of {', '.join(e.name for e in LAYERS)}, got {deepest!r}")


def noise(n_clips: int, duration: float, seed: int) -> Tensor:
    """Clips ``(n_clips, n_samples)`` at 48 kHz, with a random level in each second."""
    generator = np.random.default_rng(seed)
    n_samples = round(duration * RATE)
    loudness = generator.uniform(0.01, 0.2, (n_clips, math.ceil(duration), 1))
    samples = loudness * generator.standard_normal((n_clips, math.ceil(duration), RATE))
    return torch.from_numpy(samples.reshape(n_clips, -1)[:, :n_samples].astype(np.float32))


def long_noise(n_clips: int, duration: float) -> Tensor:
    """Identical clips that repeat ten seconds of noise; fast to create at any length."""
    some, n_samples = noise(1, min(duration, 10.0), seed=0), round(duration * RATE)
    return some.repeat(n_clips, -(-n_samples // some.shape[1]))[:, :n_samples]


def embed(model: EmbeddingModel, audio: Tensor, kind: Kind) -> Tensor:
    """The embeddings of one kind."""
    found = model.embed_tensor(audio, scene=kind == "scene", timestamps=kind == "timestamps")
    wanted = found.scene if kind == "scene" else found.timestamps
    assert wanted is not None
    return wanted


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """Maximal difference relative to the range of the expected values.

    Examples
    --------
    >>> relative_difference(torch.tensor([0.0, 5.0]), torch.tensor([0.0, 4.0]))
    0.25
    """
    extent = float(expected.max() - expected.min()) or 1.0
    return float((found - expected).abs().max()) / extent
