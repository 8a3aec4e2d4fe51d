"""Onset task in HEAR's event format: corpus recordings at known times, over backgrounds.

Packages of events, and recordings of background, differ between training, threshold selection and
test. Onset and offset of an event are determined by its energy
(:mod:`benchmarks.hear.tasks.acoustic_events`); its level is set by its signal-to-noise ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.development.excerpts import (
    COMMAND,
    SEED,
    Excerpt,
    draw_balanced,
    folds_of_groups,
    named_recordings,
    task_name,
)
from benchmarks.hear.tasks.acoustic_events import find_acoustic_events, mixed
from benchmarks.hear.tasks.task_writer import (
    new_task_folder,
    write_clip,
    write_descriptions,
    write_json,
)
from training.corpus.corpus import SAMPLE_RATE, Corpus

LABEL = "onset"
N_CLIPS: Mapping[str, int] = {"train": 24, "valid": 12, "test": 36}
SECONDS = 8.0
EVENT_KINDS = ("animals", "drums", "effects", "human", "letters")
BACKGROUND_KIND = "ambience"
N_PER_KIND = 150
EVENT_SECONDS = (0.1, 1.5)  # shorter ones are not used, longer ones are cut
EVENTS_PER_CLIP = (3, 6)  # end excluded
PAUSE_SECONDS = 0.5  # at least this long before, between and after events
SNR_DB = (6.0, 12.0, 18.0)
_BACKGROUND_RMS = 0.03


@dataclass(frozen=True)
class Composed:
    """A clip, float64 ``(n_samples,)``, and the onsets and offsets of its events, in samples."""

    audio: NDArray[np.float64]
    events: tuple[tuple[int, int], ...]

    def labels(self) -> list[dict[str, Any]]:
        """In HEAR's format, in milliseconds."""
        times = [[1000 * sample / SAMPLE_RATE for sample in event] for event in self.events]
        return [{"label": LABEL, "start": start, "end": end} for start, end in times]


def make_onset(corpus: Corpus, tasks_folder: Path, n_clips: Mapping[str, int] = N_CLIPS) -> Path:
    """Compose the task, unless it exists; returns its folder.

    Raises
    ------
    ValueError
        If the corpus lacks events of several packages, or backgrounds.
    """
    name = task_name(LABEL)
    folder = tasks_folder / name
    if folder.exists():
        return folder
    splits = tuple(n_clips)
    events, backgrounds = _events_by_split(corpus, splits), _backgrounds(corpus, splits)
    with new_task_folder(tasks_folder, name) as temporary:
        for number, split in enumerate(splits):
            audio_folder = temporary / str(SAMPLE_RATE) / split
            audio_folder.mkdir(parents=True)
            rng = np.random.default_rng([SEED, number])
            labels = {}
            for i in range(n_clips[split]):
                clip = compose(corpus, events[split], backgrounds[split], rng)
                labels[f"{i:03}.wav"] = clip.labels()
                write_clip(audio_folder / f"{i:03}.wav", clip.audio, SAMPLE_RATE)
            write_json(temporary / f"{split}.json", labels)
        packages = {split: sorted({each.group for each in events[split]}) for split in splits}
        contents = "; ".join(f"{split}: {', '.join(own)}" for split, own in packages.items())
        settings = {
            "embedding_type": "event",
            "prediction_type": "multilabel",
            "split_mode": "trainvaltest",
            "sample_duration": SECONDS,
            "evaluation": ["event_onset_200ms_fms"],
            "splits": list(splits),
        }
        readme = f"""# {name}

{sum(n_clips.values())} composed clips of {SECONDS:g} s at {SAMPLE_RATE} Hz.

Written by `{COMMAND}`; not to be edited.

- Source: the corpus {corpus.folder.name}; events from other packages in each split: {contents}.
- Signal-to-noise ratios: {", ".join(f"{snr:g}" for snr in SNR_DB)} dB over the event's span.
"""
        write_descriptions(temporary, name, settings, [LABEL], readme)
    return folder


def compose(
    corpus: Corpus,
    events: Sequence[Excerpt],
    backgrounds: Sequence[int],
    rng: np.random.Generator,
) -> Composed:
    """Draw a background and events, which do not overlap, and mix them.

    Parameters
    ----------
    corpus : Corpus
    events : sequence of Excerpt
    backgrounds : sequence of int
        Recordings; short ones are extended by reflection.
    rng : numpy.random.Generator
    """
    n_samples, pause = round(SECONDS * SAMPLE_RATE), round(PAUSE_SECONDS * SAMPLE_RATE)
    background = corpus.samples(int(rng.choice(backgrounds)))[:n_samples].astype(np.float64)
    background = np.pad(background, (0, n_samples - len(background)), mode="symmetric")
    background *= _BACKGROUND_RMS / np.sqrt(np.mean(np.square(background)))
    chosen: list[NDArray[np.float64]] = []
    left = n_samples - pause
    wanted = int(rng.integers(*EVENTS_PER_CLIP))
    for i in rng.permutation(len(events)):
        sound = _event(corpus, events[i])
        if len(chosen) < wanted and sound is not None and len(sound) + pause <= left:
            chosen.append(sound)
            left -= len(sound) + pause
        if len(chosen) == wanted:
            break
    placed, start = [], pause
    gaps = np.diff(np.sort(rng.integers(left + 1, size=len(chosen))), prepend=0)
    for sound, gap in zip(chosen, gaps.tolist(), strict=True):
        start += gap
        placed.append((start, sound, float(rng.choice(SNR_DB))))
        start += len(sound) + pause
    spans = tuple((first, first + len(sound)) for first, sound, _ in placed)
    return Composed(mixed(background, placed, SAMPLE_RATE), spans)


def _event(corpus: Corpus, excerpt: Excerpt) -> NDArray[np.float64] | None:
    """The first non-silent segment, from its onset; None if it is too short."""
    samples = corpus.samples(excerpt.recording).astype(np.float64)
    shortest, longest = (round(seconds * SAMPLE_RATE) for seconds in EVENT_SECONDS)
    start, stop = find_acoustic_events(samples, SAMPLE_RATE)[0]
    if stop - start < shortest:
        return None
    return samples[start : min(stop, start + longest)]


def _events_by_split(corpus: Corpus, splits: Sequence[str]) -> dict[str, list[Excerpt]]:
    found = [
        Excerpt(i, name, kind, name.partition("/")[0])
        for i, name, kind in named_recordings(corpus, EVENT_SECONDS[0])
        if kind in EVENT_KINDS
    ]
    drawn = draw_balanced(found, N_PER_KIND, SEED)
    folds = folds_of_groups(drawn, len(splits))
    by_split = {
        split: [each for each in drawn if folds[each.group] == number]
        for number, split in enumerate(splits)
    }
    if not all(by_split.values()):
        raise ValueError(
            f"{corpus.folder}: expected events ({', '.join(EVENT_KINDS)}) of {len(splits)} "
            f"packages or more, found {len(folds)}; build a corpus of more packages"
        )
    return by_split


def _backgrounds(corpus: Corpus, splits: Sequence[str]) -> dict[str, list[int]]:
    named = named_recordings(corpus, 1.0)
    found = sorted((name, i) for i, name, kind in named if kind == BACKGROUND_KIND)
    if len(found) < len(splits):
        raise ValueError(
            f"{corpus.folder}: expected {len(splits)} recordings of {BACKGROUND_KIND} or more, "
            f"found {len(found)}; build a corpus of more packages"
        )
    order = np.random.default_rng(SEED).permutation(len(found)).tolist()
    return {
        split: [found[place][1] for place in order[number :: len(splits)]]
        for number, split in enumerate(splits)
    }
