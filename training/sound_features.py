"""Features of sound: level, log-mel spectrogram and modulation; their users hold the constants.

For whole stimuli, in float64: :func:`rms`, :func:`log_mel`, :func:`modulation_octaves` and
:func:`fluctuations`. For batches of crops, in torch: :class:`LogMel`, :func:`modulation_spectrum`
and :class:`ModulationPower`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

Table = NDArray[np.floating]
Band = tuple[float, float]  # from and to

SAMPLES_AT_ONCE = 2**22  # bounds the memory of an intermediate result


def rms(sound: NDArray[np.generic], starts: ArrayLike, stops: ArrayLike) -> NDArray[np.float64]:
    """Root mean square of a sound in each interval, 0 where nothing of the sound lies in it.

    Parameters
    ----------
    sound : ndarray
        ``(n_samples,)``, floats or integers.
    starts, stops : array-like of int
        ``(n_intervals,)``, ascending samples; beyond the sound there is nothing to average.

    Examples
    --------
    >>> rms(np.array([3.0, 3.0, 0.0, 4.0]), [0, 2, 3, 9], [2, 3, 9, 12])
    array([3., 0., 4., 0.])
    """
    begin, end = np.clip(np.array([starts, stops], dtype=int), 0, len(sound))
    levels = np.zeros(len(begin))
    n_groups = math.ceil(len(sound) / SAMPLES_AT_ONCE) or 1
    for some in np.array_split(np.arange(len(begin)), n_groups):
        if len(some):
            first = begin[some].min()
            squares = np.square(sound[first : end[some].max()], dtype=np.float64)
            sums = np.concatenate([[0.0], np.cumsum(squares)])
            power = sums[end[some] - first] - sums[begin[some] - first]
            levels[some] = np.sqrt(np.maximum(power, 0) / np.maximum(end - begin, 1)[some])
    return levels


def log_mel(
    sound: Table,
    rate: int,
    centres: Table,
    *,
    n_window: int,
    n_bands: int,
    band: Band,
    reference: float,
) -> NDArray[np.float64]:
    """Natural log of one plus the power in mel bands relative to `reference`.

    Parameters
    ----------
    sound : ndarray
        ``(n_samples,)``; before and after it there is silence.
    rate : int
        In Hz.
    centres : ndarray
        ``(n_frames,)``, the middles of Hann windows of `n_window` samples, in samples.
    n_bands : int
        Number of bands.
    band : (float, float)
        Lowest and highest frequency in Hz.
    reference : float
        Power in a band, in squared units of the windows' Fourier transform.

    Returns
    -------
    ndarray
        ``(n_frames, n_bands)``.
    """
    padded = np.pad(sound, n_window)
    firsts = np.rint(centres - n_window / 2).astype(int) + n_window
    taper = np.hanning(n_window)
    bands = torchaudio.functional.melscale_fbanks(n_window // 2 + 1, *band, n_bands, rate).numpy()
    pieces = np.lib.stride_tricks.sliding_window_view(padded, n_window)
    spectrogram = np.empty((len(centres), n_bands))
    n_groups = max(1, len(centres) * n_window // SAMPLES_AT_ONCE)
    for some in np.array_split(np.arange(len(centres)), n_groups):
        power = np.square(np.abs(np.fft.rfft(pieces[firsts[some]] * taper, axis=1)))
        spectrogram[some] = np.log1p(power @ bands / reference)
    return spectrogram


def modulation_octaves(
    spectrogram: Table,
    frames_per_second: int,
    step: int,
    *,
    window_s: float,
    rates_hz: Sequence[Band],
    scales: Sequence[Band],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log modulation power of successive windows, averaged in bands of rate and of scale.

    The log spectrogram of a window is Fourier-transformed over time and over frequency (Singh &
    Theunissen 2003, JASA 114); power is averaged separately for upward and downward sweeps, similar
    to the filters of the cortical model of Chi, Ru & Shamma 2005 (JASA 118).

    Parameters
    ----------
    spectrogram : ndarray
        ``(n_frames, n_bands)``, logarithms.
    frames_per_second : int
        At least twice the fastest rate.
    step : int
        Frames from one window to the next.
    window_s : float
        Length of a window in seconds.
    rates_hz : sequence of (float, float)
        Bands of temporal rate.
    scales : sequence of (float, float)
        Bands of spectral scale in cycles over all bands; the first one is constant over them.

    Returns
    -------
    power : ndarray
        ``(n_windows, len(rates_hz) * (2 * len(scales) - 1))``: for each rate, the power common to
        all bands, then for each scale that of falling and that of rising sweeps.
    centres : ndarray
        ``(n_windows,)``, seconds from the beginning of the spectrogram.

    Raises
    ------
    ValueError
        If the spectrogram is shorter than a window.
    """
    n_window = round(window_s * frames_per_second)
    n_frames, n_bands = spectrogram.shape
    if n_frames < n_window:
        raise ValueError(
            f"a modulation spectrum needs {window_s:g} s of sound ({n_window} frames), got "
            f"{n_frames}"
        )
    taper = np.hanning(n_window + 2)[1:-1, None]  # nonzero at its ends
    firsts = np.arange(0, n_frames - n_window + 1, step)
    rate = np.fft.fftfreq(n_window, 1 / frames_per_second)[:, None]
    scale = np.arange(n_bands // 2 + 1)[None]
    means = []
    for slow, fast in rates_hz:
        for coarse, fine in scales:
            # For changes common to all bands, both directions of a real spectrogram are equal.
            for sign in (1,) if coarse == 0 else (1, -1):
                inside = (sign * rate >= slow) & (sign * rate < fast)
                inside = inside & (scale >= coarse) & (scale < fine)
                means.append(inside.ravel() / inside.sum())
    octaves = np.array(means)
    rows = []
    for first in firsts:
        window = spectrogram[first : first + n_window]
        window = (window - window.mean(axis=0)) * taper
        power = np.square(np.abs(np.fft.fft(np.fft.rfft(window, axis=1), axis=0))) / window.size
        rows.append(octaves @ power.ravel())
    return np.log1p(np.array(rows)), (firsts + n_window / 2) / frames_per_second


def fluctuations(
    levels: Table, levels_per_second: float, bands_hz: Sequence[Band], per_frame: int
) -> NDArray[np.float64]:
    """RMS of an envelope's fluctuations in bands of rate, ``(n_frames, n_rates)``.

    Parameters
    ----------
    levels : ndarray
        ``(n_frames * per_frame,)``.
    levels_per_second : float
        Their rate.
    bands_hz : sequence of (float, float)
        Bands of second-order Butterworth filters, applied forwards and backwards.
    per_frame : int
        Levels in a frame.
    """
    from scipy.signal import butter, sosfiltfilt

    columns = []
    for band in bands_hz:
        sections = butter(2, band, "bandpass", fs=levels_per_second, output="sos")
        filtered = sosfiltfilt(sections, levels).reshape(-1, per_frame)
        columns.append(np.sqrt(np.square(filtered).mean(axis=1)))
    return np.stack(columns, axis=1)


class LogMel(torchaudio.transforms.MelSpectrogram):
    """Log-mel spectrogram, ``(n_sounds, n_samples)`` to ``(n_sounds, n_bands, n_frames)``.

    Frame `k` is centred at ``k * hop`` samples.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft, hop, n_bands : int
        Length of the Fourier transform, samples from frame to frame, number of bands.
    floor : float
        Added to the power.
    options
        Of ``torchaudio.transforms.MelSpectrogram``.
    """

    def __init__(
        self, sample_rate: int, n_fft: int, hop: int, n_bands: int, floor: float, **options: object
    ) -> None:
        super().__init__(sample_rate, n_fft=n_fft, hop_length=hop, n_mels=n_bands, **options)
        self.floor = floor

    def forward(self, audio: Tensor) -> Tensor:
        power: Tensor = super().forward(audio)
        return (power + self.floor).log()


def modulation_spectrum(log_mel: Tensor, n_fastest: int, n_scales: int, n_rates: int) -> Tensor:
    """Log magnitudes of the 2-D Fourier transform, averaged in groups of scales and rates.

    Parameters
    ----------
    log_mel : Tensor
        ``(n_sounds, n_bands, n_frames)``.
    n_fastest : int
        Number of temporal frequencies, upwards and downwards: cycles over all frames.
    n_scales, n_rates : int
        Number of groups; the second half of the rates are downward.

    Returns
    -------
    Tensor
        ``(n_sounds, n_scales * n_rates)``.

    Examples
    --------
    >>> modulation_spectrum(torch.randn(2, 128, 200), 64, n_scales=24, n_rates=16).shape
    torch.Size([2, 384])
    """
    centred = log_mel - log_mel.mean(dim=(1, 2), keepdim=True)
    size = torch.log1p(torch.fft.fft2(centred).abs())[:, : log_mel.shape[1] // 2]
    both = torch.cat([size[..., 1 : n_fastest + 1], size[..., -n_fastest:]], dim=2)
    return F.adaptive_avg_pool2d(both, (n_scales, n_rates)).flatten(1)


class ModulationPower(nn.Module):
    """Log power of spectrotemporal modulations in each band (after Chi, Ru & Shamma 2005).

    Here with Gaussian filters, one octave wide at half power, on a logarithmic axis and on a
    log-mel spectrogram.

    Parameters
    ----------
    n_frames : int
        Length of the spectrograms.
    frames_per_second : float
        Their rate.
    rates_hz : sequence of float
        Temporal rates, each upwards and downwards.
    scales : sequence of float
        Cycles over a quarter of `n_bands`; 0 is a low-pass.
    n_bands, n_reported : int
        Bands that are filtered and bands that are returned: averages of neighbours of the
        spectrogram's.
    floor : float
        Added to the power.

    Examples
    --------
    >>> power = ModulationPower(200, 100.0, (3.0, 6.0), (0.0, 1.0, 2.0), 64, 16, 1e-2)
    >>> power(torch.randn(2, 128, 200)).shape  # scales x directions x rates x reported bands
    torch.Size([2, 192])
    """

    rates: Tensor
    filters: Tensor
    taper: Tensor

    def __init__(
        self,
        n_frames: int,
        frames_per_second: float,
        rates_hz: Sequence[float],
        scales: Sequence[float],
        n_bands: int,
        n_reported: int,
        floor: float,
    ) -> None:
        super().__init__()
        self.n_bands, self.n_reported, self.floor = n_bands, n_reported, floor
        width = 0.5 / math.sqrt(2 * math.log(2))  # standard deviation in octaves
        # Squared gain at each temporal frequency, (n_frames, 2 * n_rates): the sign of the
        # frequency is the direction.
        hertz = torch.fft.fftfreq(n_frames, 1 / frames_per_second)
        columns = []
        for sign in (1.0, -1.0):
            octaves = (sign * hertz).clamp_min(1e-9).log2()
            for rate in rates_hz:
                columns.append(torch.exp(-0.5 * ((octaves - math.log2(rate)) / width) ** 2))
        # Matrices that filter all bands at once, (n_scales, n_bands, n_bands), zero-padded at the
        # edges; only non-negative spectral frequencies, so that directions stay apart.
        cycles = torch.arange(n_bands) / 2 / 4
        gains = torch.zeros(len(scales), 2 * n_bands)
        for row, scale in zip(gains, scales, strict=True):
            if scale == 0:
                row[:n_bands] = torch.exp(-0.5 * (cycles / 0.5) ** 2)
            else:
                octaves = (cycles.clamp_min(1e-9) / scale).log2()
                row[:n_bands] = torch.exp(-0.25 * (octaves / width) ** 2)
        band = torch.arange(n_bands)
        filters = torch.fft.ifft(gains, dim=1)[:, band[:, None] - band]
        self.register_buffer("rates", torch.stack(columns, dim=1), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("taper", torch.hann_window(n_frames), persistent=False)

    def forward(self, log_mel: Tensor) -> Tensor:
        """``(n_sounds, n_mels, n_frames)`` to ``(n_sounds, n_values)``.

        By Parseval's theorem power over time is a sum over rates: no inverse transform is needed.
        """
        width = log_mel.shape[1] // self.n_bands
        bands = F.avg_pool1d(log_mel.transpose(1, 2), width).transpose(1, 2)
        bands = (bands - bands.mean(dim=2, keepdim=True)) * self.taper
        filtered = self.filters.flatten(0, 1) @ torch.fft.fft(bands, dim=2)
        power = torch.view_as_real(filtered).square().sum(-1) @ self.rates / bands.shape[2]
        power = power.unflatten(1, (len(self.filters), self.n_bands))
        pooled = F.avg_pool2d(power, (self.n_bands // self.n_reported, 1))
        return (pooled.transpose(2, 3) + self.floor).log().flatten(1)
