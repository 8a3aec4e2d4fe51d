"""Log-mel baselines: mean and spread of the bands, and a plain modulation spectrum besides."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.correspondence.stages import Frames
from benchmarks.hear import logmel

SAMPLE_RATE = 22_050


class LogMel:
    """Mean and standard deviation over time of 128 log-mel bands: 256 units.

    The bands are those of the HEAR yardstick :mod:`benchmarks.hear.logmel`.
    """

    name = "log-mel"
    sample_rate = SAMPLE_RATE
    stages = ("mean and std",)
    identity = f"log-mel-1-{logmel.N_BANDS}-{logmel.FRAMES_PER_SECOND}"

    def __init__(self) -> None:
        self.model = logmel.load_model(sample_rate=SAMPLE_RATE)

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return {self.stages[0]: logmel.get_scene_embeddings(audio, self.model)}

    @torch.no_grad()
    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`: the bands themselves."""
        frames, milliseconds = logmel.get_timestamp_embeddings(audio[None], self.model)
        return Frames(frames[0], milliseconds[0].double() / 1000)


class ModulationSpectrum:
    """Log magnitudes of the 2-D Fourier transform of a log-mel spectrogram, and :class:`LogMel`'s.

    128 bands in frames of about 10 ms; up to 32 Hz upwards and downwards, averaged in 24 groups of
    spectral and 16 of temporal frequencies: 384 units, with 256 of mean and standard deviation 640.
    The definition was searched for on natsound165, see
    :mod:`benchmarks.correspondence.yardsticks`. Sounds must be longer than 1/4 s.

    Parameters
    ----------
    name : str
        For tables.
    """

    sample_rate = SAMPLE_RATE
    stages = ("modulation spectrum",)
    identity = "modulation-spectrum-1"
    N_FFT, HOP, N_BANDS = 1024, 220, 128
    FASTEST_HZ = 32
    N_SCALES, N_RATES = 24, 16
    FLOOR = 1e-6

    def __init__(self, name: str = "modulation spectrum") -> None:
        import torchaudio

        self.name = name
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=self.N_FFT, hop_length=self.HOP, n_mels=self.N_BANDS
        )

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        log_mel: Tensor = (self.spectrogram(audio) + self.FLOOR).log()
        of_bands = torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2)], dim=1)
        centred = log_mel - log_mel.mean(dim=(1, 2), keepdim=True)
        size = torch.log1p(torch.fft.fft2(centred).abs())[:, : self.N_BANDS // 2]
        n_rates = round(self.FASTEST_HZ * audio.shape[1] / SAMPLE_RATE)
        if 2 * n_rates >= size.shape[2] or n_rates < self.N_RATES // 2:
            raise ValueError(
                f"a modulation spectrum needs sounds of {self.N_RATES / 2 / self.FASTEST_HZ:g} s "
                f"or more, got {audio.shape[1] / SAMPLE_RATE:g} s"
            )
        both = torch.cat([size[..., 1 : n_rates + 1], size[..., -n_rates:]], dim=2)
        pooled = torch.nn.functional.adaptive_avg_pool2d(both, (self.N_SCALES, self.N_RATES))
        return {self.stages[0]: torch.cat([pooled.flatten(1), of_bands], dim=1)}

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """It describes a sound as a whole: there are no frames."""
        raise ValueError(f"{self.name} describes a whole sound and has no frames in time")
