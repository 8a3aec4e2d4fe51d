"""Search for known recordings in others: an index of fingerprints.

Where a word of the query equals a word of a known recording, the two are aligned at that word and
all their bits compared. A known recording is indexed four times, with its frames shifted by a
quarter of a hop each, since the copy may begin anywhere; and its words are also indexed with their
least certain bits flipped, since a copy is rarely exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpus.fingerprints import HOP, Fingerprint, fingerprint

N_SHIFTS = 4
N_TURNED = 3  # bits of a word that may differ
SHORTEST = 5  # non-silent frames that must overlap: with the frame itself 0.2 s
_AT_A_TIME = 100_000  # offsets compared at a time


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
        words, heard, owners, keys, places = [], [], [], [], []
        n_words = 0
        for number, samples in enumerate(sounds):
            for shift in range(N_SHIFTS):
                shifted = fingerprint(samples[shift * HOP // N_SHIFTS :])
                words.append(shifted.words)
                heard.append(shifted.heard)
                owners.append(np.full(len(shifted.words), number, dtype=np.int32))
                turned, place = _turned(shifted)
                keys.append(turned)
                places.append(place + n_words)
                n_words += len(shifted.words)
        self._words = np.concatenate(words)
        self._heard = np.concatenate(heard)
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
        frames = np.flatnonzero(searched.heard)
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
            there[there] &= self._heard[starts[there] + k]
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
    places = np.flatnonzero(known.heard)
    weakest = np.argsort(known.margins[places], axis=1)[:, :N_TURNED].astype(np.uint32)
    masks = np.uint32(1) << weakest
    chosen = (np.arange(2**N_TURNED)[:, None] >> np.arange(N_TURNED)) & 1  # (2**n, n)
    turned = known.words[places, None] ^ (masks @ chosen.T.astype(np.uint32))
    return turned.ravel(), np.repeat(places, 2**N_TURNED)
