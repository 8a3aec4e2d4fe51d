"""VGGish: a VGG network on log-mel patches, trained on YouTube videos (Hershey et al. 2017)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.weights import load_weights
from benchmarks.correspondence.hooks import Tap

SAMPLE_RATE = 16_000
WINDOW, HOP, N_FFT = 400, 160, 512  # 25 ms every 10 ms
N_MELS, LOWEST_HZ, HIGHEST_HZ = 64, 125.0, 7500.0
N_FRAMES = 96  # of one patch; patches do not overlap
CHANNELS: tuple[int | str, ...] = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool")
N_HIDDEN, N_OUT = 4096, 128


class VGGish(nn.Module):
    """Convolutions and fully connected layers, each with a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 1
        for n_channels in CHANNELS:
            if isinstance(n_channels, str):
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(n_in, n_channels, 3, padding=1), nn.ReLU()]
            n_in = n_channels
        halvings = 2 ** CHANNELS.count("pool")
        n_features = n_in * (N_FRAMES // halvings) * (N_MELS // halvings)
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(n_features, N_HIDDEN),
            nn.ReLU(),
            nn.Linear(N_HIDDEN, N_HIDDEN),
            nn.ReLU(),
            nn.Linear(N_HIDDEN, N_OUT),
            nn.ReLU(),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """``(n_patches, 1, 96 frames, 64 bands)`` to ``(n_patches, 128)``."""
        # The weights come from TensorFlow, with channels last.
        values: Tensor = self.embeddings(self.features(patches).permute(0, 2, 3, 1).flatten(1))
        return values


def mel_filters() -> Tensor:
    """Triangular filters, linear on the mel axis (not in Hz), with zero weight at 0 Hz.

    ``(n_fft // 2 + 1, n_mels)``.
    """

    def mel(hz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hz / 700.0)

    bins = mel(torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64))
    low, high = mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, N_MELS + 2, dtype=torch.float64)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0.0)
    filters[0] = 0.0
    return filters.float()


def log_mel_patches(audio: Tensor) -> Tensor:
    """Patches ``(n_patches, 1, 96 frames, 64 bands)`` of a sound, ``(1, n_samples)`` at 16 kHz.

    Frames after the last full patch are left out.

    Raises
    ------
    ValueError
        If the sound is shorter than one patch.
    """
    shortest = WINDOW + (N_FRAMES - 1) * HOP
    if audio.shape[1] < shortest:
        raise ValueError(
            f"VGGish needs sounds of at least {shortest} samples at 16 kHz "
            f"({shortest / SAMPLE_RATE:.3f} s, one patch), got {audio.shape[1]}"
        )
    frames = audio[0].unfold(0, WINDOW, HOP) * torch.hann_window(WINDOW, periodic=True)
    log_mel = torch.log(torch.fft.rfft(frames, N_FFT).abs() @ mel_filters() + 0.01)
    n_patches = len(log_mel) // N_FRAMES
    return log_mel[: n_patches * N_FRAMES].reshape(n_patches, 1, N_FRAMES, N_MELS)


def build(weights: Path | None) -> Network:
    """The network, with weights from a file or random."""
    module = VGGish()
    if weights is not None:
        load_weights(module, weights)
    taps: dict[str, Tap] = {}
    n_halvings = 0
    for number, layer in enumerate(module.features):
        if isinstance(layer, nn.MaxPool2d):
            n_halvings += 1
        if not isinstance(layer, nn.Conv2d):
            hop = HOP * 2**n_halvings
            # A frame is centred on the spectrogram frames it covers.
            first = (WINDOW - 1) / 2 + (hop - HOP) / 2
            times = (first / SAMPLE_RATE, hop / SAMPLE_RATE)
            stage = tuple(VGGISH.n_units)[len(taps)]
            taps[stage] = Tap(
                f"features.{number}",
                output=_patches_in_a_row,
                sound_axis=None,
                times=times,
                time_axis=0,
            )
    patch = N_FRAMES * HOP
    middle = (WINDOW - 1) / 2 + (patch - HOP) / 2
    for number in (1, 3, 5):
        stage = tuple(VGGISH.n_units)[len(taps)]
        taps[stage] = Tap(
            f"embeddings.{number}",
            sound_axis=None,
            time_axis=0,
            times=(middle / SAMPLE_RATE, patch / SAMPLE_RATE),
        )
    return Network(module, taps, log_mel_patches, batch_size=1)


def _patches_in_a_row(output: Tensor) -> Tensor:
    """``(n_patches, n_channels, n_frames, n_bands)`` to ``(all frames, n_channels, n_bands)``."""
    return output.transpose(1, 2).flatten(0, 1)


VGGISH = ExternalModel(
    name="VGGish",
    task="video labels (YouTube-8M)",
    library="this project",
    sample_rate=SAMPLE_RATE,
    normalisation="log(mel magnitude + 0.01), 64 bands, patches of 0.96 s; level unchanged",
    n_units={
        "ReLU_1": 64 * 64,
        "MaxPool2d_1": 64 * 32,
        "ReLU_2": 128 * 32,
        "MaxPool2d_2": 128 * 16,
        "ReLU_3": 256 * 16,
        "ReLU_4": 256 * 16,
        "MaxPool2d_3": 256 * 8,
        "ReLU_5": 512 * 8,
        "ReLU_6": 512 * 8,
        "MaxPool2d_4": 512 * 4,
        "ReLU_7": N_HIDDEN,
        "ReLU_8": N_HIDDEN,
        "ReLU_9": N_OUT,
    },
    weights="the .pth file of the network of harritaylor/torchvggish (not that of its PCA)",
    remarks="written here from the published description, with the parameter names of torchvggish; "
    "every ReLU and pooling, averaged over the frames of all patches",
    build=build,
)
