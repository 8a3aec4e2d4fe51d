"""Event task with known onsets, composed from real recordings of ESC-10.

Barks, crows, sneezes, cries and ticking clocks are cut at the onsets and offsets of their energy,
and placed at known times over rain or sea waves. Train, valid and test come from different folds of
ESC-10, that is from different original recordings. Equal seeds give identical files.

The level of an event is set by its signal-to-noise ratio: the power of the event over that of the
background beneath it, both over the event's own span.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.hear.tasks.acoustic_events import find_acoustic_events, mixed
from benchmarks.hear.tasks.esc10 import SourceClip, list_clips, read_credits
from benchmarks.hear.tasks.task_writer import (
    SAMPLE_RATE,
    new_task_folder,
    write_clip,
    write_descriptions,
    write_json,
)

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
    """Compose the task, unless it exists with that seed.

    Parameters
    ----------
    data_folder : Path
        Folder with ``audio/esc10``.
    tasks_folder : Path
        Parent of the task folder.
    seed : int
        Seed of recordings, times and levels.
    n_clips : mapping of str to int
        Number of clips in each split; fewer for a quick test, not a benchmark.

    Returns
    -------
    Path
        The task folder; its README.md documents seed, sources and licences.

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
    cuts = np.sort(rng.integers(0, left + 1, size=len(chosen)))
    events, position, before = [], pause, 0
    for excerpt, cut in zip(chosen, cuts, strict=True):
        position += int(cut) - before
        before = int(cut)
        events.append(PlacedEvent(excerpt, position, float(rng.choice(SNR_DB))))
        position += excerpt.stop - excerpt.start + pause
    return events


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
