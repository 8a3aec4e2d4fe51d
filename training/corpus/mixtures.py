"""A corpus extended by mixtures of its recordings: scenes of a few seconds.

Often there is a background: a segment of a recording, looped if it is too short. One to four events
are added, each a recording or a segment of one, at varied speed, once or repeated rhythmically, at
a random level relative to the background. Some mixtures are filtered, and all are normalised to a
random level. A mixture is determined by the seed and its number alone.

Mixtures contain only recordings of the corpus, from which evaluation recordings were excluded when
it was built.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpus.build import SECONDS_PER_HOUR, mapping, whole_folder, write_tables
from training.corpus.corpus import (
    AUDIO_FILE,
    RECORDING_COLUMNS,
    SAMPLE_RATE,
    SAMPLE_TYPE,
    Corpus,
    SourceEntry,
    corpus_sha256,
)
from training.data.prepared import INT16_SCALE
from training.progress import bar

HOURS = 6.0
SEED = 0
_HASH_LENGTH = 16  # of the corpus SHA-256 in the manifest
Sound = NDArray[np.float32]

KIND = "mixtures"
SECONDS = 5.0
NEEDED_KINDS = ("ambience", "animals", "effects", "human")

# Relative probability of each kind; within a kind all recordings are equally likely.
_BACKGROUNDS = {"ambience": 0.4, "effects": 0.2, "animals": 0.1, "human": 0.05, "music": 0.25}
_EVENTS = {
    **{"effects": 0.4, "animals": 0.22, "human": 0.12, "ambience": 0.14},
    **{"speech": 0.03, "singing": 0.03, "drums": 0.03, "notes": 0.03},
}
_BACKGROUND_SHARE, _RHYTHM_SHARE, _COLOUR_SHARE = 0.7, 0.25, 0.3
_MOST_EVENTS = 4
_EVENT_SECONDS = (0.5, 4.0)  # of a recording, at most
_LATEST = SECONDS - 0.5  # latest onset of an event in seconds
_REPEATS, _PERIODS = (2, 8), (0.15, 1.2)  # of rhythmic events; periods in seconds
_OCTAVES = 0.8  # change of speed, up and down
_EVENT_DB = (-15.0, 15.0)  # relative to the background
_NOISE_DB = (-70.0, -32.0)  # of noise in place of a background, relative to one
_LOW_PASS, _HIGH_PASS = (500.0, 8000.0), (50.0, 2000.0)  # corner frequency in Hz
_PEAK_DB, _RMS_DB = (-20.0, -1.0), (-36.0, -16.0)  # relative to full scale
_LARGEST = 0.98  # peak
_FADE, _CROSS_FADE = 0.01, 0.05  # seconds
_SILENT = 2**-7  # peak below which amplification yields mostly rounding noise
_SHORTEST_EVENT, _SHORTEST_BACKGROUND = 0.05, 0.5  # seconds
_MOST_TRIES = 100

_LENGTH = round(SECONDS * SAMPLE_RATE)


def add_mixtures(
    corpus: Corpus,
    out: Path,
    *,
    hours: float = HOURS,
    seed: int = SEED,
    workers: int = 1,
    progress: bool = False,
) -> Corpus:
    """Write the corpus `out`: the recordings of `corpus`, unchanged, and mixtures of them.

    Parameters
    ----------
    corpus : Corpus
    out : Path
        Must not exist.
    hours : float
        Total duration of the mixtures.
    seed : int
    workers : int
        Mixing processes; with 1, this process mixes. The result does not depend on it.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        If `out` exists.
    ValueError
        If the corpus already has mixtures or lacks a required kind, or `hours` is too short.
    OSError
        If it cannot be written.
    """
    if out.exists():
        raise FileExistsError(f"{out} already exists; give another --out, or remove it")
    if KIND in {*corpus.recordings["kind"], *corpus.recordings["source"]}:
        raise ValueError(f"{corpus.folder} already has mixtures; give the corpus without them")
    n = round(hours * SECONDS_PER_HOUR / SECONDS)
    if n < 1:
        raise ValueError(f"expected hours for at least one mixture of {SECONDS:g} s, got {hours:g}")
    mixer = Mixer(corpus, seed)  # fails before anything is written
    with whole_folder(out) as folder:
        shutil.copyfile(corpus.folder / AUDIO_FILE, folder / AUDIO_FILE)
        rows = corpus.recordings[list(RECORDING_COLUMNS)].to_dict("records")
        licences: set[str] = set()
        of_recording = corpus.recordings["licence"].tolist()
        with (
            (folder / AUDIO_FILE).open("ab") as audio,
            mapping(workers) as mapped,
        ):
            mix = mixer.mixture if workers == 1 else partial(_mixed, corpus.folder, seed)
            for mixture in bar(
                mapped(mix, range(n)), total=n, desc=KIND, shown=progress, leave=False
            ):
                audio.write(mixture.samples.tobytes())
                found = {of_recording[part] for part in mixture.parts}
                rows.append(_row(mixture, found, rows[-1]))
                licences |= found
        added = n * SECONDS / SECONDS_PER_HOUR
        entry = SourceEntry(
            name=KIND,
            licences=sorted(licences),
            kinds={KIND: round(added, 4)},
            hours=round(added, 4),
            n_recordings=n,
            made_with={"seed": str(seed), "corpus": corpus_sha256(corpus)[:_HASH_LENGTH]},
        )
        manifest = corpus.manifest.model_copy(
            update={
                "hours": round(corpus.manifest.hours + entry.hours, 4),
                "sources": [*corpus.manifest.sources, entry],
            }
        )
        write_tables(folder, rows, manifest)
    return Corpus.open(out)


def _row(mixture: Mixture, licences: set[str], previous: dict[str, Any]) -> dict[str, Any]:
    sha256 = hashlib.sha256(mixture.samples.tobytes()).hexdigest()
    return {
        "start_sample": previous["start_sample"] + previous["n_samples"],
        "n_samples": len(mixture.samples),
        "source": KIND,
        "file": mixture.text,
        "sha256": sha256,  # there is no source file
        "samples_sha256": sha256,
        "kind": KIND,
        "licence": "; ".join(sorted(licences)),
        "label": "",
    }


@lru_cache(maxsize=1)
def _mixer(folder: Path, seed: int) -> Mixer:
    return Mixer(Corpus.open(folder), seed)


def _mixed(folder: Path, seed: int, number: int) -> Mixture:
    """A mixture in a worker, which opens the corpus once."""
    return _mixer(folder, seed).mixture(number)


@dataclass(frozen=True)
class Mixture:
    """Samples and components of a mixture.

    Attributes
    ----------
    samples : ndarray
        int16 ``(n_samples,)`` at the corpus rate; never clipped.
    text : str
        Kinds and indices of its recordings, the background first.
    parts : tuple of int
        The indices.
    """

    samples: NDArray[np.int16]
    text: str
    parts: tuple[int, ...]


class Mixer:
    """Generator of mixtures of the unlabelled recordings of a corpus.

    Parameters
    ----------
    corpus : Corpus
    seed : int

    Raises
    ------
    ValueError
        If the corpus lacks one of `NEEDED_KINDS`.
    """

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus = corpus
        self._seed = seed
        table = corpus.recordings
        self._lengths = table["n_samples"].to_numpy()
        self._kinds = table["kind"].tolist()
        unlabelled = table[table["label"] == ""]
        self._of_kind = {
            str(kind): rows.to_numpy()
            for kind, rows in unlabelled.index.to_series().groupby(unlabelled["kind"])
        }
        if missing := [kind for kind in NEEDED_KINDS if kind not in self._of_kind]:
            raise ValueError(
                f"{corpus.folder} has no {', '.join(missing)}, which mixtures need; add "
                f"recordings of the kinds {', '.join(NEEDED_KINDS)}"
            )

    def mixture(self, number: int) -> Mixture:
        """Mixture `number`.

        Raises
        ------
        ValueError
            If the recordings drawn are repeatedly silent or too short.
        """
        rng = np.random.default_rng([self._seed, number])
        for _ in range(_MOST_TRIES):
            sound, names, parts = self._scene(rng)
            # A lower peak is only noise: late events may begin with silence.
            if np.abs(sound).max() > _gain(_EVENT_DB[0]):
                break
        else:
            raise self._nothing_found("scene")
        if rng.random() < _COLOUR_SHARE:
            sound = _coloured(sound, rng)
        text = f"mixture {number:06}: {', '.join(names)}"
        return Mixture(_levelled(sound, rng), text, tuple(parts))

    def _scene(self, rng: np.random.Generator) -> tuple[Sound, list[str], list[int]]:
        """A background with unit root mean square, or weak noise; and events."""
        names, parts = [], []
        if rng.random() < _BACKGROUND_SHARE:
            part, sound = self._background(rng)
            parts.append(part)
            names.append(f"{self._kinds[part]} {part}")
        else:
            noise = rng.standard_normal(_LENGTH, dtype=np.float32)
            sound = noise * np.float32(_gain(rng.uniform(*_NOISE_DB)))
        for _ in range(rng.integers(1, _MOST_EVENTS, endpoint=True)):
            part, n_repeats = self._add_event(sound, rng)
            parts.append(part)
            names.append(f"{self._kinds[part]} {part}" + (f" x{n_repeats}" * (n_repeats > 1)))
        return sound, names, parts

    def _background(self, rng: np.random.Generator) -> tuple[int, Sound]:
        for _ in range(_MOST_TRIES):
            part = self._draw(_BACKGROUNDS, rng)
            sound = self._stretch(part, SECONDS, rng)
            if len(sound) >= _SHORTEST_BACKGROUND * SAMPLE_RATE and _sounds(sound):
                sound = loop(sound, _LENGTH, rng)
                return part, sound / _rms(sound)
        raise self._nothing_found("background")

    def _add_event(self, sound: Sound, rng: np.random.Generator) -> tuple[int, int]:
        """Add one to `sound`; returns its recording and its number of repetitions."""
        n_repeats, period, most = 1, 0.0, float(rng.uniform(*_EVENT_SECONDS))
        if rng.random() < _RHYTHM_SHARE:
            n_repeats = int(rng.integers(*_REPEATS, endpoint=True))
            period = float(rng.uniform(*_PERIODS))
            most = min(most, 2 * period)
        part, event = self._event(most, rng)
        event *= _gain(rng.uniform(*_EVENT_DB)) / _rms(event)
        first = rng.uniform(0, _LATEST)
        times = [each for each in first + period * np.arange(n_repeats) if each <= _LATEST]
        for each in times:
            start = round(each * SAMPLE_RATE)
            place = sound[start : start + len(event)]
            place += event[: len(place)]
        return part, len(times)

    def _event(self, most: float, rng: np.random.Generator) -> tuple[int, Sound]:
        """At most `most` seconds of a recording, with changed speed, faded at both ends."""
        import soxr

        for _ in range(_MOST_TRIES):
            part = self._draw(_EVENTS, rng)
            sound = self._stretch(part, most, rng)
            speed = 2 ** rng.uniform(-_OCTAVES, _OCTAVES)
            if len(sound) / speed >= _SHORTEST_EVENT * SAMPLE_RATE and _sounds(sound):
                sound = soxr.resample(sound, round(SAMPLE_RATE * speed), SAMPLE_RATE, quality="HQ")
                ramp = np.linspace(0, 1, round(_FADE * SAMPLE_RATE), dtype=np.float32)
                sound[: len(ramp)] *= ramp
                sound[-len(ramp) :] *= ramp[::-1]
                if _sounds(sound):
                    return part, sound
        raise self._nothing_found("event")

    def _draw(self, weights: Mapping[str, float], rng: np.random.Generator) -> int:
        """A recording of a random kind in the corpus."""
        kinds = [kind for kind in weights if kind in self._of_kind]
        shares = np.array([weights[kind] for kind in kinds])
        kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
        return int(rng.choice(self._of_kind[kind]))

    def _stretch(self, part: int, seconds: float, rng: np.random.Generator) -> Sound:
        """`seconds` of a recording from a random position, or all of a shorter one."""
        n = min(int(self._lengths[part]), round(seconds * SAMPLE_RATE))
        start = int(rng.integers(self._lengths[part] - n, endpoint=True))
        return self._corpus.samples(part, start, n)

    def _nothing_found(self, what: str) -> ValueError:
        return ValueError(
            f"{_MOST_TRIES} times a {what} was drawn from {self._corpus.folder} that is silent or "
            "too short; build the corpus from other recordings"
        )


def loop(sound: Sound, n: int, rng: np.random.Generator) -> Sound:
    """`n` samples of a looped recording with cross-fades; a longer one is cut.

    Parameters
    ----------
    sound : ndarray
        float32 ``(n_samples,)``.
    n : int
    rng : numpy.random.Generator
        Draws the start position.

    Examples
    --------
    >>> loop(np.ones(30_000, np.float32), 50_000, np.random.default_rng(0)).shape
    (50000,)
    """
    if len(sound) >= n:
        return sound[:n]
    fade = min(round(_CROSS_FADE * SAMPLE_RATE), len(sound) // 4)
    step = len(sound) - fade
    # Equal power: start and end of a recording are uncorrelated.
    ramp = np.sin(np.pi / 2 * (np.arange(fade, dtype=np.float32) + 0.5) / fade)
    once = sound[:step].copy()
    once[:fade] = sound[:fade] * ramp + sound[step:] * ramp[::-1]
    first = int(rng.integers(step))
    return np.resize(np.roll(once, -first), n)


def _coloured(sound: Sound, rng: np.random.Generator) -> Sound:
    """Filtered by a one-pole low pass or high pass."""
    from scipy.signal import lfilter

    low = rng.random() < 0.5
    corner = np.exp(rng.uniform(*np.log(_LOW_PASS if low else _HIGH_PASS)))
    pole = np.exp(-2 * np.pi * corner / SAMPLE_RATE)
    passed = lfilter([1 - pole], [1, -pole], sound).astype(np.float32)
    return passed if low else sound - passed


def _levelled(sound: Sound, rng: np.random.Generator) -> NDArray[np.int16]:
    """Normalised to a random peak or root mean square, as int16."""
    peak = float(np.abs(sound).max())
    by_peak = rng.random() < 0.5
    gain = _gain(rng.uniform(*_PEAK_DB)) / peak if by_peak else _gain(rng.uniform(*_RMS_DB))
    if not by_peak:
        gain = min(gain / _rms(sound), _LARGEST / peak)
    return np.rint(sound * np.float32(gain * INT16_SCALE)).astype(SAMPLE_TYPE)


def _sounds(sound: Sound) -> bool:
    return bool(np.abs(sound).max() > _SILENT)


def _rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))
