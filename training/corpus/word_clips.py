"""Clips of single words, trimmed, and batches of espeak-ng's words.

A batch is spoken in a separate process, since the state of espeak-ng's library carries over. It is
complete when its last file exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import writing
from training.corpus.espeak_library import Espeak
from training.corpus.speech import Utterance

Batch = Sequence[tuple[Utterance, Path]]

_QUIET = 0.01  # of the peak: quieter samples before and after a word are trimmed
_MARGIN_S = 0.015


def speak_batches(batches: Sequence[Batch], n_processes: int) -> None:
    """Synthesise the missing batches to files, trimmed.

    Raises
    ------
    ValueError
        If there is no such voice.
    OSError
        If espeak-ng is missing, or a file cannot be written.
    """
    missing = [batch for batch in batches if not batch[-1][1].is_file()]
    if not missing:
        return
    with ProcessPoolExecutor(
        n_processes, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        list(pool.map(_speak, missing))


def trimmed(samples: NDArray[np.int16], sample_rate: int) -> NDArray[np.int16]:
    """A word without the silence before and after it, except for a margin.

    Examples
    --------
    >>> sound = np.zeros(22_050, np.int16)
    >>> sound[10_000:12_000] = 9_000
    >>> len(trimmed(sound, 22_050))
    2661
    """
    loudness = np.abs(samples.astype(np.int32))
    heard = np.flatnonzero(loudness > _QUIET * loudness.max(initial=0))
    if not len(heard):
        return samples
    margin = round(_MARGIN_S * sample_rate)
    return samples[max(heard[0] - margin, 0) : heard[-1] + margin]


def trim(path: Path) -> None:
    """Trim a 16-bit WAV file."""
    import soundfile

    samples, sample_rate = soundfile.read(path, dtype="int16")
    _write(path, samples, sample_rate)


def _speak(batch: Batch) -> None:
    speaker = Espeak()
    for utterance, path in batch:
        samples = speaker.speak(utterance)
        with writing(path, durable=False) as temporary:
            _write(temporary, samples, speaker.sample_rate)


def _write(path: Path, samples: NDArray[np.int16], sample_rate: int) -> None:
    import soundfile

    soundfile.write(path, trimmed(samples, sample_rate), sample_rate, "PCM_16", format="WAV")
