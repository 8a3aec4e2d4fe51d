"""Acoustic fingerprints: bits that are robust to resampling, lossy coding and gain.

After Haitsma and Kalker (2002, "A highly robust audio fingerprinting system", ISMIR): a recording
is cut into overlapping frames, the energy of each in 33 bands from 300 to 3000 Hz is computed, and
bit m of frame n encodes whether the difference between bands m and m + 1 has grown since frame n -
1:

    F(n, m) = [E(n, m) - E(n, m+1) - (E(n-1, m) - E(n-1, m+1)) > 0]

Frames are shorter here than in the paper (93 ms rather than 370 ms), since many of the evaluation
recordings last half a second.

An index searches for known recordings in others. Where a word of the query equals a word of a known
recording, the two are aligned at that word and all their bits compared. A known recording is
indexed four times, with its frames shifted by a quarter of a hop each, since the copy may begin
anywhere; and its words are also indexed with their least certain bits flipped, since a copy is
rarely exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpus.corpus import SAMPLE_RATE

N_BITS = 32
BAND_HZ = (300.0, 3000.0)
FRAME = 2048  # samples
HOP = 512  # samples
_BLOCK = 2048  # frames transformed at a time
_FLOOR_DB = 45.0  # frames this far below the loudest are mostly noise
_SILENCE = 1e-7  # power per band; full scale is 1
N_SHIFTS = 4
N_TURNED = 3  # bits of a word that may differ
SHORTEST = 5  # non-silent frames that must overlap: with the frame itself 0.2 s
_AT_A_TIME = 100_000  # offsets compared at a time


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint words of a recording.

    Attributes
    ----------
    words : ndarray
        uint32 ``(n_frames - 1,)``: bit m of word n is F(n + 1, m).
    margins : ndarray
        float32 ``(n_frames - 1, 32)``: distance of each bit from its decision threshold, relative
        to the frame.
    audible : ndarray of bool
        ``(n_frames - 1,)``: whether the frame is not silent.
    """

    words: NDArray[np.uint32]
    margins: NDArray[np.float32]
    audible: NDArray[np.bool_]


def fingerprint(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a recording, ``(n_samples,)`` at the corpus rate.

    Recordings shorter than two frames have no words.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=22_050).astype(np.float32)
    >>> loud, soft = fingerprint(noise), fingerprint(noise / 1000)
    >>> len(loud.words), bool((loud.words == soft.words).all())
    (39, True)
    """
    energies = _band_energies(samples)
    if len(energies) < 2:
        return Fingerprint(
            np.zeros(0, np.uint32), np.zeros((0, N_BITS), np.float32), np.zeros(0, bool)
        )
    steps = np.diff(np.diff(energies, axis=1), axis=0)  # the sign of F is arbitrary
    bits = steps > 0
    powers = np.uint32(1) << np.arange(N_BITS, dtype=np.uint32)
    words = (bits * powers).sum(axis=1, dtype=np.uint32)
    totals = energies.sum(axis=1)
    totals = np.minimum(totals[1:], totals[:-1])
    audible = (totals > totals.max() * 10 ** (-_FLOOR_DB / 10)) & (totals > _SILENCE)
    scale = np.abs(steps).mean(axis=1, keepdims=True) + 1e-20
    return Fingerprint(words, np.abs(steps / scale).astype(np.float32), audible)


def _band_energies(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in the bands, ``(n_frames, 33)``."""
    import scipy.fft

    if len(samples) < FRAME:
        return np.zeros((0, N_BITS + 1), dtype=np.float32)
    edges = np.geomspace(*BAND_HZ, N_BITS + 2)
    frequencies = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
    inside = (frequencies >= edges[:-1, None]) & (frequencies < edges[1:, None])
    low, high = np.flatnonzero(inside.any(axis=0))[[0, -1]]
    bands = inside[:, low : high + 1].T.astype(np.float32) / FRAME
    window = np.hanning(FRAME).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    energies = np.empty((len(frames), N_BITS + 1), dtype=np.float32)
    for start in range(0, len(frames), _BLOCK):
        block = slice(start, start + _BLOCK)
        spectra = scipy.fft.rfft(frames[block] * window, axis=1)[:, low : high + 1]
        energies[block] = (spectra.real**2 + spectra.imag**2) @ bands
    return energies


@dataclass(frozen=True)
class Found:
    """A known recording found in another one.

    Attributes
    ----------
    known : int
        Its index.
    start : int
        Frame of the query at which the known recording would begin; may be negative.
    agreement : float
        Share of equal bits where the two overlap and are not silent; 0.5 for unrelated recordings.
    n_frames : int
        Number of these frames.
    """

    known: int
    start: int
    agreement: float
    n_frames: int


class Index:
    """The fingerprints of known recordings.

    Parameters
    ----------
    sounds : iterable of ndarray
        float32 ``(n_samples,)`` each, at the corpus rate.
    """

    def __init__(self, sounds: Iterable[NDArray[np.float32]]) -> None:
        words, audible, owners, keys, places = [], [], [], [], []
        n_words = 0
        for number, samples in enumerate(sounds):
            for shift in range(N_SHIFTS):
                shifted = fingerprint(samples[shift * HOP // N_SHIFTS :])
                words.append(shifted.words)
                audible.append(shifted.audible)
                owners.append(np.full(len(shifted.words), number, dtype=np.int32))
                turned, place = _turned(shifted)
                keys.append(turned)
                places.append(place + n_words)
                n_words += len(shifted.words)
        self._words = np.concatenate(words)
        self._audible = np.concatenate(audible)
        self._owners = np.concatenate(owners)
        lengths = [len(each) for each in words]
        starts = np.cumsum([0, *lengths[:-1]])
        self._starts = np.repeat(starts, lengths)  # of the sequence that a word belongs to
        self._stops = np.repeat(np.add(starts, lengths), lengths)
        all_keys = np.concatenate(keys)
        order = np.argsort(all_keys, kind="stable")
        self._keys = all_keys[order]
        self._places = np.concatenate(places)[order]

    def find(
        self, samples: NDArray[np.float32], least_agreement: float, short_sounds: float = 0.0
    ) -> list[Found]:
        """Known recordings in `samples`, each at its best offset, the most certain first.

        Parameters
        ----------
        samples : ndarray
            float32 ``(n_samples,)``.
        least_agreement, short_sounds : float
            Over n frames a share of ``least_agreement + short_sounds / sqrt(n)`` equal bits is a
            match.
        """
        searched = fingerprint(samples)
        frames = np.flatnonzero(searched.audible)
        first = np.searchsorted(self._keys, searched.words[frames], side="left")
        last = np.searchsorted(self._keys, searched.words[frames], side="right")
        counts = last - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places = self._places[np.repeat(first, counts) + within]
        # The frame of `samples` aligned with the sequence's first one.
        offsets = np.repeat(frames, counts) - (places - self._starts[places])
        overlays = np.unique(np.stack([self._starts[places], offsets]), axis=1)
        best: dict[int, Found] = {}
        for at in range(0, overlays.shape[1], _AT_A_TIME):
            starts, shifts = overlays[:, at : at + _AT_A_TIME]
            agreement, n_frames = self._compare(searched, starts, shifts)
            wanted = least_agreement + short_sounds / np.sqrt(np.maximum(n_frames, 1))
            good = (agreement >= wanted) & (n_frames >= SHORTEST)
            for i in np.flatnonzero(good):
                found = Found(
                    int(self._owners[starts[i]]),
                    int(shifts[i]),
                    float(agreement[i]),
                    int(n_frames[i]),
                )
                known = best.get(found.known)
                if known is None or _weight(found) > _weight(known):
                    best[found.known] = found
        return sorted(best.values(), key=_weight, reverse=True)

    def _compare(
        self, searched: Fingerprint, starts: NDArray[np.int64], shifts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Agreement and number of frames at each offset."""
        n_equal = np.zeros(len(starts))
        n_frames = np.zeros(len(starts), dtype=np.int64)
        lengths = self._stops[starts] - starts
        for k in range(int(lengths.max(initial=0))):
            there = (k < lengths) & (k + shifts >= 0) & (k + shifts < len(searched.words))
            there[there] &= self._audible[starts[there] + k]
            differing = np.bitwise_count(
                self._words[starts[there] + k] ^ searched.words[k + shifts[there]]
            )
            n_equal[there] += 1 - differing / 32
            n_frames[there] += 1
        return n_equal / np.maximum(n_frames, 1), n_frames


def _weight(found: Found) -> float:
    """Sort key by significance: long overlaps with high agreement first."""
    return (found.agreement - 0.5) * found.n_frames**0.5


def _turned(known: Fingerprint) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Non-silent words with all combinations of their least certain bits, and their positions."""
    places = np.flatnonzero(known.audible)
    weakest = np.argsort(known.margins[places], axis=1)[:, :N_TURNED].astype(np.uint32)
    masks = np.uint32(1) << weakest
    chosen = (np.arange(2**N_TURNED)[:, None] >> np.arange(N_TURNED)) & 1  # (2**n, n)
    turned = known.words[places, None] ^ (masks @ chosen.T.astype(np.uint32))
    return turned.ravel(), np.repeat(places, 2**N_TURNED)
