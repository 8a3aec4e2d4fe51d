"""The onset task: corpus recordings at known times over backgrounds, and their detection.

Clips are in HEAR's event format. Packages of events, and recordings of background, differ between
training, threshold selection and test. Onset and offset of an event are determined by its energy;
its level is set by its signal-to-noise ratio.

A logistic regression predicts for each frame of a network whether an onset is near; onsets are
peaks of its output above a threshold, which is selected on separate clips. A detection within 200
ms of an onset is correct; each counts once. The score is the F measure over all test clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

import hear_brainsoundnet
from benchmarks.development.candidates import Candidate
from benchmarks.development.excerpts import (
    COMMAND,
    SEED,
    Excerpt,
    draw_balanced,
    folds_of_groups,
    named_recordings,
    task_name,
)
from benchmarks.hear.task_folder import TaskFolder
from benchmarks.hear.tasks.onsets import (
    BACKGROUND_RMS,
    PAUSE_SECONDS,
    SNR_DB,
    draw_times,
    find_acoustic_events,
    mixed,
)
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
TOLERANCE_MS = 200.0
NEAR_MS = 60.0  # distance from an onset of positive frames
APART_MS = 250.0  # between peaks, at least
N_THRESHOLDS = 40
N_DRAWS = 500  # of test clips, for the interval
_CLIPS_AT_ONCE = 8
Times = NDArray[np.float64]  # milliseconds, ascending


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
                name_of = f"{i:03}.wav"
                clip, labels[name_of] = compose(corpus, events[split], backgrounds[split], rng)
                write_clip(audio_folder / name_of, clip, SAMPLE_RATE)
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
) -> tuple[NDArray[np.float64], list[dict[str, Any]]]:
    """A clip ``(n_samples,)`` of events that do not overlap, and their labels, in HEAR's format.

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
    background *= BACKGROUND_RMS / np.sqrt(np.mean(np.square(background)))
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
    times = draw_times([len(sound) for sound in chosen], left, pause, rng)
    placed = [(start, sound, snr) for sound, (start, snr) in zip(chosen, times, strict=True)]
    labels = [
        {
            "label": LABEL,
            "start": 1000 * start / SAMPLE_RATE,
            "end": 1000 * (start + len(sound)) / SAMPLE_RATE,
        }
        for start, sound, _ in placed
    ]
    return mixed(background, placed, SAMPLE_RATE), labels


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


@dataclass(frozen=True)
class OnsetScore:
    """F measure with the 95 % interval over draws of test clips."""

    f_measure: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.f_measure:.3f} ({self.low:.3f} to {self.high:.3f})"


def onset_score(candidate: Candidate, task: TaskFolder, seed: int = 0) -> OnsetScore:
    """Train on the task's training clips, select the threshold on its valid ones, and test.

    Frames are those of the candidate's preset; the seed is that of the draws of test clips.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    onsets = {
        split: [np.array(sorted(each["start"] for each in own)) for own in labels.values()]
        for split, labels in task.labels.items()
    }
    frames, times = _frames(candidate, task, "train")
    near = [np.abs(times[:, None] - own).min(axis=1, initial=np.inf) for own in onsets["train"]]
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=200, class_weight="balanced")
    )
    probe.fit(np.concatenate(frames), np.concatenate(near) <= NEAR_MS)

    def said(split: str) -> tuple[list[Times], Times]:
        own, own_times = _frames(candidate, task, split)
        return [probe.decision_function(each) for each in own], own_times

    valid, valid_times = said("valid")
    thresholds = np.quantile(np.concatenate(valid), np.linspace(0.5, 0.999, N_THRESHOLDS))
    scores = [
        _f_measure(_counts([peaks(each, valid_times, at) for each in valid], onsets["valid"]))
        for at in thresholds
    ]
    threshold = float(thresholds[int(np.argmax(scores))])
    tested, test_times = said("test")
    counts = _counts([peaks(each, test_times, threshold) for each in tested], onsets["test"])
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(counts), size=(N_DRAWS, len(counts)))
    draws = [_f_measure(counts[own]) for own in chosen]
    low, high = np.quantile(draws, [0.025, 0.975])
    return OnsetScore(_f_measure(counts), float(low), float(high))


def peaks(values: Times, times: Times, threshold: float) -> Times:
    """Times of peaks above a threshold; of two peaks too close together, the higher one.

    Examples
    --------
    >>> peaks(np.array([0.0, 3, 0, 0, 1, 5, 0]), 200.0 * np.arange(7), 2.0)
    array([ 200., 1000.])
    """
    from scipy.signal import find_peaks

    distance = max(1.0, APART_MS / float(times[1] - times[0])) if len(times) > 1 else 1.0
    padded = np.pad(values, 1, constant_values=-np.inf)
    found, _ = find_peaks(padded, height=threshold, distance=distance)
    return np.asarray(times[found - 1])


def n_matched(found: Times, true: Times, tolerance: float = TOLERANCE_MS) -> int:
    """Maximal number of pairs of a detected and a true onset, each in at most one pair.

    Examples
    --------
    >>> n_matched(np.array([0.0, 100.0, 900.0]), np.array([150.0, 1000.0, 2000.0]))
    2
    """
    i = j = matched = 0
    while i < len(found) and j < len(true):
        if abs(found[i] - true[j]) <= tolerance:
            i, j, matched = i + 1, j + 1, matched + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return matched


def _counts(found: Sequence[Times], true: Sequence[Times]) -> NDArray[np.int64]:
    """By clip: pairs, found and true onsets, ``(n_clips, 3)``."""
    return np.array(
        [(n_matched(f, t), len(f), len(t)) for f, t in zip(found, true, strict=True)], np.int64
    )


def _f_measure(counts: NDArray[np.int64]) -> float:
    matched, found, true = counts.sum(axis=0)
    return float(2 * matched / max(1, found + true))


def _frames(
    candidate: Candidate, task: TaskFolder, split: str
) -> tuple[list[NDArray[np.float64]], Times]:
    """Frames of each clip, ``(n_frames, size)``, and their times, which all clips share."""
    model = hear_brainsoundnet.load_model(
        candidate.checkpoint,
        sample_rate=SAMPLE_RATE,
        preset=candidate.preset,
        level=candidate.level,
    )
    folder: Path = task.path / str(SAMPLE_RATE) / split
    clips = [soundfile.read(folder / name, dtype="float32")[0] for name in task.labels[split]]
    frames: list[NDArray[np.float64]] = []
    for part in torch.from_numpy(np.stack(clips)).split(_CLIPS_AT_ONCE):
        with torch.no_grad():
            embeddings, milliseconds = hear_brainsoundnet.get_timestamp_embeddings(part, model)
        frames += list(embeddings.double().numpy())
    return frames, milliseconds[0].double().numpy()
