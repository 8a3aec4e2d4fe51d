"""Detection of acoustic events in a recording by energy.

The energy is computed in frames of 5 ms. A frame is active if its energy is at most 20 dB below
that of the recording's loudest frame. Active frames less than 300 ms apart are merged.
"""

from __future__ import annotations

import numpy as np

FRAME_SECONDS = 0.005
THRESHOLD_DB = -20.0
LONGEST_GAP_SECONDS = 0.3


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
