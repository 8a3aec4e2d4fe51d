"""Acoustic events: their detection in a recording by energy, and their mixing into a background.

The energy is computed in frames of 5 ms. A frame is active if its energy is at most 20 dB below
that of the recording's loudest frame. Active frames less than 300 ms apart are merged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.005
THRESHOLD_DB = -20.0
LONGEST_GAP_SECONDS = 0.3
FADE_SECONDS = 0.01  # of an event's end; its onset is unchanged
PEAK = 0.98


def find_acoustic_events(audio: np.ndarray, sample_rate: int) -> list[tuple[int, int]]:
    """Active segments of a recording.

    Parameters
    ----------
    audio : ndarray
        Shape ``(n_samples,)``.
    sample_rate : int
        In Hz.

    Returns
    -------
    list of tuple of int
        First sample, and the sample after the last, of each segment; empty for silence.

    Examples
    --------
    >>> audio = np.zeros(1000)
    >>> audio[200:300] = 1.0
    >>> find_acoustic_events(audio, 1000)
    [(200, 300)]
    """
    frame = max(1, round(FRAME_SECONDS * sample_rate))
    n_frames = len(audio) // frame
    energy = np.square(audio[: n_frames * frame]).reshape(n_frames, frame).mean(axis=1)
    if n_frames == 0 or energy.max() == 0:
        return []
    sounding = np.flatnonzero(energy >= energy.max() * 10 ** (THRESHOLD_DB / 10))
    longest_gap = LONGEST_GAP_SECONDS * sample_rate / frame
    breaks = np.flatnonzero(np.diff(sounding) - 1 >= longest_gap) + 1
    return [(int(run[0]) * frame, (int(run[-1]) + 1) * frame) for run in np.split(sounding, breaks)]


def mixed(
    background: NDArray[np.float64],
    events: Sequence[tuple[int, NDArray[np.float64], float]],
    sample_rate: int,
) -> NDArray[np.float64]:
    """Events added to a background, faded out at their ends; peaks above 0.98 scale the whole down.

    Parameters
    ----------
    background : ndarray
        ``(n_samples,)``.
    events : sequence of (int, ndarray, float)
        First sample, sound, and signal-to-noise ratio in dB: power of the event over that of the
        background beneath it.
    sample_rate : int
        In Hz.
    """
    audio = background.copy()
    fade = round(FADE_SECONDS * sample_rate)
    for start, sound, snr_db in events:
        faded = sound.copy()
        faded[-fade:] *= np.linspace(1, 0, fade)
        span = slice(start, start + len(faded))
        ratio = np.mean(background[span] ** 2) / np.mean(faded**2)
        audio[span] += faded * np.sqrt(ratio * 10 ** (snr_db / 10))
    return audio * min(1.0, PEAK / np.abs(audio).max())
