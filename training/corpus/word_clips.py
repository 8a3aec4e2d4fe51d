"""Clips of single words, trimmed, and batches of espeak-ng's words.

A batch is spoken in a separate process, since the state of espeak-ng's library carries over. It is
complete when its last file exists.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import writing
from training.corpus.speech import Utterance

# Constants of speak_lib.h, the library's interface.
_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

Batch = Sequence[tuple[Utterance, Path]]
_QUIET = 0.01  # of the peak: quieter samples before and after a word are trimmed
_MARGIN_S = 0.015


class Espeak:
    """Speech synthesiser for single words.

    Attributes
    ----------
    sample_rate : int
        In Hz.

    Raises
    ------
    OSError
        If the library or its data are missing.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise OSError(
                "espeak-ng's library is missing; install it (apt-get install espeak-ng), or build "
                "the corpus without words: give the other sources with --only"
            )
        self._library = ctypes.CDLL(name)
        self._spoken: list[NDArray[np.int16]] = []
        self.sample_rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _NO_EXIT))
        if self.sample_rate <= 0:
            raise OSError("espeak-ng cannot start: its data are missing; install espeak-ng-data")
        self._callback = _Callback(self._take)  # a reference, or it would be freed
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, utterance: Utterance) -> NDArray[np.int16]:
        """Samples, int16 ``(n_samples,)``.

        Raises
        ------
        ValueError
            If there is no such voice.
        """
        if self._library.espeak_SetVoiceByName(utterance.voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {utterance.voice}")
        self._library.espeak_SetParameter(_RATE, utterance.speed, 0)
        self._library.espeak_SetParameter(_PITCH, utterance.pitch, 0)
        text = utterance.text.encode()
        self._spoken.clear()
        self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None)
        return np.concatenate([np.zeros(0, np.int16), *self._spoken])

    def _take(self, samples: ctypes.Array[ctypes.c_short], n: int, _: object) -> int:
        if samples and n > 0:
            self._spoken.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0


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
    audible = np.flatnonzero(loudness > _QUIET * loudness.max(initial=0))
    if not len(audible):
        return samples
    margin = round(_MARGIN_S * sample_rate)
    return samples[max(audible[0] - margin, 0) : audible[-1] + margin]


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
