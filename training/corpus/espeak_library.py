"""Binding to espeak-ng's library, which speaks a word in a millisecond; its program takes fifteen
to start.

The library's state, noise and phases included, is global and carries over from word to word:
samples are reproducible only for the same words in the same order in a new process.
"""

from __future__ import annotations

import ctypes
import ctypes.util

import numpy as np
from numpy.typing import NDArray

from training.corpus.speech import Utterance

# Constants of speak_lib.h, the library's interface.
_SYNCHRONOUS = 2
_NO_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


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
