"""Feature spaces: low-level features of the sound, and columns of a regression from any features.

Low-level features are computed from frames of 10 ms. ``"envelope"`` is their root mean square;
``"spectrogram"`` the log power in mel bands; ``"modulation"`` the strength and rate of changes in
the log spectrogram, in octaves. A row is the mean over the frames whose centres lie within its TR,
or over the whole sound without TRs. The recording is zero-padded at both ends.

Columns are standardised, reduced and delayed. Means, scales and principal components are estimated
from training runs only and applied to others. Delays are applied within each run: before its first
TR there are zeros, the training mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import INT16_SCALE, Prepared, Run
from training.fitting.ridge import delayed
from training.sound_features import log_mel, modulation_octaves, rms

Space = Literal["envelope", "spectrogram", "modulation"]
SPACES: tuple[Space, ...] = get_args(Space)
FRAMES_PER_SECOND = 100
N_BANDS = 32
LOWEST_HZ, HIGHEST_HZ = 50.0, 10_000.0
SPECTRUM_S = 0.046  # window of a spectrum: long enough to resolve the lowest mel bands
FLOOR = 1e-7  # power of silence: 70 dB below full scale
WINDOW_S = 1.0  # of a modulation spectrum
RATES_HZ = ((1, 2), (2, 4), (4, 8), (8, 16), (16, 32))
SCALES = ((0, 1), (1, 2), (2, 4), (4, 8), (8, 17))  # cycles over all bands; the first: constant
N_CHANNELS = len(RATES_HZ) * (2 * len(SCALES) - 1)
LONGEST_STEP_S = 0.25  # between modulation spectra
NO_VARIANCE = 1e-12

Frames = NDArray[np.floating]
Features = NDArray[np.floating]  # (n_trs, n_channels) of one run


def low_level_features(
    prepared: Prepared, run: Run, spaces: Sequence[str] = SPACES
) -> dict[str, NDArray[np.float32]]:
    """Features of the stimulus of a run.

    Parameters
    ----------
    prepared : Prepared
        The dataset of the run.
    run : Run
        TR `k` covers ``start + k * tr`` to ``start + (k + 1) * tr`` seconds of the stimulus.
    spaces : sequence of str
        Some of {"envelope", "spectrogram", "modulation"}.

    Returns
    -------
    dict
        By space, float32 ``(n_trs, n_channels)``; a single row for a sound without TRs.
    """
    rate = prepared.info.sample_rate
    audio = prepared.audio(run.stimulus)
    seconds = run.tr if run.tr > 0 else max(len(audio) / rate, 1 / FRAMES_PER_SECOND)
    margin = WINDOW_S / 2
    sound = _piece(audio, rate, run.start - margin, run.start + run.n_trs * seconds + margin)
    hop = rate / FRAMES_PER_SECOND
    times: Frames = (np.arange(int(len(sound) / hop)) + 0.5) / FRAMES_PER_SECOND - margin
    features = {}
    spectrogram: Frames | None = None
    for space in spaces:
        if space == "envelope":
            rows = row_means(_envelope(sound, rate), times, seconds, run.n_trs)
        else:
            spectrogram = _spectrogram(sound, rate) if spectrogram is None else spectrogram
            values, own_times = spectrogram, times
            if space == "modulation":
                step = max(1, int(min(LONGEST_STEP_S, seconds / 2) * FRAMES_PER_SECOND))
                values, centres = modulation_octaves(
                    spectrogram,
                    FRAMES_PER_SECOND,
                    step,
                    window_s=WINDOW_S,
                    rates_hz=RATES_HZ,
                    scales=SCALES,
                )
                own_times = centres - margin
            rows = row_means(values, own_times, seconds, run.n_trs)
        features[space] = rows.astype(np.float32)
    return features


def _envelope(sound: Frames, rate: int) -> Frames:
    hop = rate / FRAMES_PER_SECOND
    edges = np.rint(np.arange(int(len(sound) / hop) + 1) * hop).astype(int)
    return rms(sound, edges[:-1], edges[1:])[:, None]


def _spectrogram(sound: Frames, rate: int) -> Frames:
    hop, n_window = rate / FRAMES_PER_SECOND, round(SPECTRUM_S * rate)
    return log_mel(
        sound,
        rate,
        (np.arange(int(len(sound) / hop)) + 0.5) * hop,
        n_window=n_window,
        n_bands=N_BANDS,
        band=(LOWEST_HZ, min(HIGHEST_HZ, rate / 2)),
        reference=FLOOR * np.hanning(n_window).sum() ** 2,
    )


def row_means(values: Frames, times: Frames, seconds: float, n_rows: int) -> Frames:
    """Mean over the frames in each row, ``(n_frames, n_channels)`` to ``(n_rows, n_channels)``.

    Parameters
    ----------
    values, times : ndarray
        Frames and their centres in seconds, with 0 at the beginning of the first row.
    seconds : float
        Length of a row.
    n_rows : int
        Number of rows; frames outside of them are ignored.

    Examples
    --------
    >>> row_means(np.array([[9.0], [1.0], [3.0], [5.0]]), np.array([-1, 0.1, 0.9, 1.5]), 1.0, 2)
    array([[2.],
           [5.]])
    """
    row = np.floor(times / seconds).astype(int)
    inside = (row >= 0) & (row < n_rows)
    sums = np.zeros((n_rows, values.shape[1]))
    np.add.at(sums, row[inside], values[inside])
    return sums / np.bincount(row[inside], minlength=n_rows)[:, None]


def _piece(audio: NDArray[np.int16], rate: int, start: float, stop: float) -> Frames:
    """Audio from `start` to `stop` in seconds, zero-padded."""
    first, last = round(start * rate), round(stop * rate)
    sound = np.zeros(last - first)
    inside = audio[max(first, 0) : max(last, 0)]
    offset = max(-first, 0)
    sound[offset : offset + len(inside)] = inside / INT16_SCALE
    return sound


class FeatureSpace:
    """A feature space scaled with statistics of training runs.

    Channels are centred and divided by their standard deviation, or by the root mean square of all
    of these if theirs is smaller (otherwise noise in rarely active units would be amplified). More
    than `n_components` channels are then reduced to that many principal components. The result is
    divided by the root of its total variance, so that regularisation does not depend on the width
    of a space.

    Parameters
    ----------
    name : str
        Name for messages.
    training : sequence of array
        ``(n_trs, n_channels)`` of each training run.
    n_delays : int
        K: number of TRs that a prediction depends on, its own included.
    n_components : int
        Maximal number of channels.

    Attributes
    ----------
    n_channels, n_kept : int
        Number of channels before and after the reduction.
    explained : float
        Fraction of the variance of the standardised channels that is kept.

    Raises
    ------
    ValueError
        If there is no training run, a value is not finite, or nothing varies.

    Examples
    --------
    >>> space = FeatureSpace("level", [np.array([[1.0], [3.0]])], n_delays=2, n_components=8)
    >>> space.apply(np.array([[1.0], [3.0], [5.0]])).round(3)
    array([[ 0.   , -0.707],
           [-0.707,  0.707],
           [ 0.707,  2.121]], dtype=float32)
    """

    def __init__(
        self, name: str, training: Sequence[Features], *, n_delays: int, n_components: int
    ) -> None:
        self.name, self.n_delays = name, n_delays
        if not training:
            raise ValueError(f"feature space {name!r} has no training runs")
        if not all(np.isfinite(table).all() for table in training):
            raise ValueError(f"feature space {name!r} has values that are not finite")
        # Accumulated run by run: the rows of a season take a gigabyte in float64.
        n_rows = sum(len(table) for table in training)
        self.mean = np.sum([table.sum(axis=0, dtype=float) for table in training], axis=0) / n_rows
        squares = [np.square(table - self.mean).sum(axis=0) for table in training]
        deviation = np.sqrt(np.sum(squares, axis=0) / n_rows)
        overall = float(np.sqrt(np.mean(deviation**2)))
        if overall <= NO_VARIANCE * max(1.0, float(np.abs(self.mean).max())):
            raise ValueError(
                f"feature space {name!r} does not vary over the {n_rows} training rows and can "
                "explain nothing; leave it out"
            )
        scale = np.maximum(deviation, overall)
        self.n_channels = len(scale)
        self.n_kept = min(self.n_channels, n_components)
        total = float(np.square(deviation / scale).sum())
        mixing = np.diag(1 / scale)
        kept = total
        if self.n_kept < self.n_channels:
            covariance = np.zeros((self.n_channels, self.n_channels))
            for table in training:
                rows = (table - self.mean) / scale
                covariance += rows.T @ rows
            values, vectors = np.linalg.eigh(covariance / n_rows)
            mixing = mixing @ vectors[:, ::-1][:, : self.n_kept]
            kept = float(values[::-1][: self.n_kept].sum())
        self.explained = kept / total
        self.mixing = mixing / np.sqrt(kept * n_delays)

    def apply(self, features: Features) -> NDArray[np.float32]:
        """Columns for one run, ``(n_trs, n_channels)`` to ``(n_trs, n_delays * n_kept)``."""
        return delayed(((features - self.mean) @ self.mixing).astype(np.float32), self.n_delays)

    def apply_all(self, runs: Sequence[Features]) -> NDArray[np.float32]:
        """Concatenated columns of several runs; delays stay within each."""
        return np.concatenate([self.apply(features) for features in runs])
