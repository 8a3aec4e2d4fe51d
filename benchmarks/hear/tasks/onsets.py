"""Event task with known onsets, composed from real recordings of ESC-10.

Barks, crows, sneezes, cries and ticking clocks are cut at the onsets and offsets of their energy,
and placed at known times over rain or sea waves. Train, valid and test come from different folds of
ESC-10, that is from different original recordings. Equal seeds give identical files.

The energy is computed in frames of 5 ms. A frame is active if its energy is at most 20 dB below
that of the recording's loudest frame. Active frames less than 300 ms apart are merged.

The level of an event is set by its signal-to-noise ratio: the power of the event over that of the
background beneath it, both over the event's own span.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.tasks.esc10 import SourceClip, list_clips, read_credits
from benchmarks.hear.tasks.task_writer import (
    SAMPLE_RATE,
    new_task_folder,
    write_clip,
    write_descriptions,
    write_json,
)

FRAME_SECONDS = 0.005
THRESHOLD_DB = -20.0
LONGEST_GAP_SECONDS = 0.3
FADE_SECONDS = 0.01  # of an event's end; its onset is unchanged
PEAK = 0.98
TASK_NAME = "esc10_onsets-1.0.0-full"
LABELS = {
    "Baby cry": "crying_baby",
    "Clock tick": "clock_tick",
    "Dog bark": "dog_bark",
    "Person sneeze": "sneeze",
    "Rooster": "rooster",
}
BACKGROUNDS = ("Rain", "Sea waves")
FOLDS = {"train": (1, 2, 3), "valid": (4,), "test": (5,)}
N_CLIPS = {"train": 20, "valid": 20, "test": 20}  # heareval's grid takes minutes for this number
CLIP_SECONDS = (10.0, 11.0)
EVENT_SECONDS = (0.25, 2.0)  # shorter segments are not used, longer ones are cut
EVENTS_PER_CLIP = (3, 6)
PAUSE_SECONDS = 0.5  # at least this long before, between and after events
CROSSFADE_SECONDS = 0.5
SNR_DB = (6.0, 12.0, 18.0)
BACKGROUND_RMS = 0.03
# The scores of HEAR's DCASE 2016 task 2; the first one selects the model.
EVALUATION = ("event_onset_200ms_fms", "event_onset_50ms_fms", "segment_1s_er")


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


@dataclass(frozen=True)
class Excerpt:
    """A segment of a recording: samples `start` to `stop` of `clip`."""

    clip: SourceClip
    start: int
    stop: int


@dataclass(frozen=True)
class PlacedEvent:
    """An excerpt in a composed clip, at sample `onset`, `snr_db` over the background."""

    excerpt: Excerpt
    onset: int
    snr_db: float

    def as_label(self) -> dict[str, object]:
        """Start and end in milliseconds, in HEAR's format, and the source recording."""
        n_samples = self.excerpt.stop - self.excerpt.start
        return {
            "label": LABELS[self.excerpt.clip.category],
            "start": self.onset * 1000 / SAMPLE_RATE,
            "end": (self.onset + n_samples) * 1000 / SAMPLE_RATE,
            "snr_db": self.snr_db,
            "source": self.excerpt.clip.path.name,
        }


def make_onsets(
    data_folder: Path,
    tasks_folder: Path,
    seed: int = 0,
    n_clips: Mapping[str, int] = N_CLIPS,
) -> Path:
    """Compose the task from ``audio/esc10``, unless it exists; returns its folder.

    The folder's README.md documents seed, sources and licences. `n_clips` of each split may be
    fewer for a quick test, not for a benchmark.

    Raises
    ------
    FileNotFoundError
        If there are no recordings.
    ValueError
        If the folder holds the task with another seed, or a fold lacks a class.
    """
    task = tasks_folder / TASK_NAME
    if task.exists():
        found = json.loads((task / "task_metadata.json").read_text())["seed"]
        if found != seed:
            raise ValueError(
                f"{task} was made with seed {found}, requested seed {seed}; "
                "remove that folder or choose another --out"
            )
        return task
    clips = list_clips(data_folder)
    with new_task_folder(tasks_folder, TASK_NAME) as temporary:
        used: set[str] = set()
        for split, folds in FOLDS.items():
            chosen = [clip for clip in clips if clip.fold in folds]
            used |= _write_split(temporary, split, chosen, seed, n_clips[split])
        _write_descriptions(temporary, seed, used, read_credits(data_folder), n_clips)
    return task


def find_excerpts(clips: Sequence[SourceClip]) -> dict[str, list[list[Excerpt]]]:
    """Usable events by class, one list per recording."""
    shortest, longest = (round(seconds * SAMPLE_RATE) for seconds in EVENT_SECONDS)
    excerpts: dict[str, list[list[Excerpt]]] = {category: [] for category in LABELS}
    for clip in clips:
        if clip.category not in LABELS:
            continue
        found = [
            Excerpt(clip, start, min(stop, start + longest))
            for start, stop in find_acoustic_events(clip.read(SAMPLE_RATE), SAMPLE_RATE)
            if stop - start >= shortest
        ]
        if found:
            excerpts[clip.category].append(found)
    return excerpts


def _write_split(
    folder: Path, split: str, clips: Sequence[SourceClip], seed: int, n_clips: int
) -> set[str]:
    """Write audio and labels of one split; returns the names of its recordings."""
    audio_folder = folder / str(SAMPLE_RATE) / split
    audio_folder.mkdir(parents=True)
    rng = np.random.default_rng([seed, *FOLDS[split]])
    excerpts = find_excerpts(clips)
    backgrounds = {name: [clip for clip in clips if clip.category == name] for name in BACKGROUNDS}
    for category, found in (*excerpts.items(), *backgrounds.items()):
        if not found:
            raise ValueError(
                f"no usable recording of {category!r} in folds {FOLDS[split]} for {split}; "
                "use the complete ESC-10"
            )
    labels: dict[str, list[dict[str, object]]] = {}
    used: set[str] = set()
    for number in range(n_clips):
        n_samples = round(rng.uniform(*CLIP_SECONDS) * SAMPLE_RATE)
        kind = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
        background, sources = compose_background(backgrounds[kind], n_samples, rng)
        events = place_events(excerpts, n_samples, rng)
        name = f"{split}-{number:03d}.wav"
        audio = mix(background, events)
        write_clip(audio_folder / name, audio)
        labels[name] = [event.as_label() for event in events]
        used |= {clip.path.name for clip in sources}
        used |= {event.excerpt.clip.path.name for event in events}
    write_json(folder / f"{split}.json", labels)
    return used


def compose_background(
    clips: Sequence[SourceClip], n_samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[SourceClip]]:
    """Concatenated recordings with equal-power cross-fades."""
    fade = round(CROSSFADE_SECONDS * SAMPLE_RATE)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade))
    background, sources = np.zeros(0), []
    while len(background) < n_samples:
        order = rng.permutation(len(clips))
        for index in order:
            piece = clips[index].read(SAMPLE_RATE)
            piece = piece * (BACKGROUND_RMS / np.sqrt(np.mean(piece**2)))
            if len(background):
                piece[:fade] = piece[:fade] * ramp + background[-fade:] * ramp[::-1]
                background = background[:-fade]
            background = np.concatenate([background, piece])
            sources.append(clips[index])
            if len(background) >= n_samples:
                break
    return background[:n_samples], sources


def place_events(
    excerpts: dict[str, list[list[Excerpt]]], n_samples: int, rng: np.random.Generator
) -> list[PlacedEvent]:
    """Draw events that do not overlap; the remaining time is distributed randomly as pauses."""
    pause = round(PAUSE_SECONDS * SAMPLE_RATE)
    chosen: list[Excerpt] = []
    left = n_samples - pause
    for _ in range(rng.integers(EVENTS_PER_CLIP[0], EVENTS_PER_CLIP[1] + 1)):
        recordings = excerpts[list(LABELS)[rng.integers(len(LABELS))]]
        candidates = recordings[rng.integers(len(recordings))]
        excerpt = candidates[rng.integers(len(candidates))]
        needed = excerpt.stop - excerpt.start + pause
        if needed <= left:
            chosen.append(excerpt)
            left -= needed
    times = draw_times([each.stop - each.start for each in chosen], left, pause, rng)
    return [PlacedEvent(each, *time) for each, time in zip(chosen, times, strict=True)]


def draw_times(
    lengths: Sequence[int], left: int, pause: int, rng: np.random.Generator
) -> list[tuple[int, float]]:
    """First sample and signal-to-noise ratio (dB) of each event, in order.

    Parameters
    ----------
    lengths : sequence of int
        Of the events, in samples.
    left : int
        Samples beyond events and pauses, divided randomly.
    pause : int
        Samples before each event, at least.
    rng : numpy.random.Generator
    """
    gaps = np.diff(np.sort(rng.integers(left + 1, size=len(lengths))), prepend=0)
    times, start = [], pause
    for length, gap in zip(lengths, gaps.tolist(), strict=True):
        start += gap
        times.append((start, float(rng.choice(SNR_DB))))
        start += length + pause
    return times


def mix(background: np.ndarray, events: Sequence[PlacedEvent]) -> np.ndarray:
    """Add events to the background, each at its signal-to-noise ratio; shape ``(n_samples,)``."""
    placed = [
        (
            event.onset,
            event.excerpt.clip.read(SAMPLE_RATE)[event.excerpt.start : event.excerpt.stop],
            event.snr_db,
        )
        for event in events
    ]
    return mixed(background, placed, SAMPLE_RATE)


def _write_descriptions(
    folder: Path, seed: int, used: set[str], credits: dict[str, str], n_clips: Mapping[str, int]
) -> None:
    settings = {
        "embedding_type": "event",
        "prediction_type": "multilabel",
        "split_mode": "trainvaltest",
        "sample_duration": None,  # clips differ in length: heareval then embeds one at a time
        "evaluation": list(EVALUATION),
        "evaluation_params": {
            "event_postprocessing_grid": {"median_filter_ms": [250], "min_duration": [125, 250]}
        },
        "splits": list(FOLDS),
        "seed": seed,
    }
    folds = "; ".join(f"{split}: {', '.join(map(str, FOLDS[split]))}" for split in FOLDS)
    text = f"""# {TASK_NAME}

{sum(n_clips[split] for split in FOLDS)} composed clips of {CLIP_SECONDS[0]:g} to \
{CLIP_SECONDS[1]:g} s at {SAMPLE_RATE} Hz: {", ".join(LABELS.values())} over rain or sea waves.

Written by `python -m benchmarks hear tasks make-onsets --seed {seed}`; not to be edited.

- Sources: ESC-10 (K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM \
Multimedia 2015). Folds of ESC-10 in each split: {folds}. No original recording is in two splits.
- An event begins and ends where the energy of the real recording does (5 ms frames, 20 dB below \
its loudest); `start` and `end` are milliseconds. Events do not overlap and are at least \
{PAUSE_SECONDS:g} s apart.
- `snr_db`: power of the event over that of the background beneath it, drawn from \
{", ".join(f"{snr:g}" for snr in SNR_DB)} dB. `source`: the recording.
- Licence: CC BY 3.0, as ESC-10 as a whole. Of the single recordings ESC-10 says:

"""
    lines = [f"  - {name}: {credits.get(name, 'not listed')}" for name in sorted(used)]
    readme = text + "\n".join(lines) + "\n"
    write_descriptions(folder, TASK_NAME, settings, LABELS.values(), readme)
