"""Low-level sound features: loudness over time, spectrum, and modulation spectrum.

All are computed from frames of 10 ms. ``"envelope"`` is their root mean square; ``"spectrogram"``
the log power in mel bands; ``"modulation"`` the strength and rate of changes in the log
spectrogram, in octaves. A row is the mean over the frames whose
centres lie within its TR, or over the whole sound without TRs. The recording is zero-padded at both
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import INT16_SCALE, Prepared, Run
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

Frames = NDArray[np.floating]


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
