"""What the development tasks share: names, balanced draws of a corpus's recordings, grouped folds.

A draw is balanced over the classes and, within a class, over its sources; it depends only on the
seed and the names of the recordings, not on their order in the corpus.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.hear.tasks.task_writer import LabelledClip, SceneTask
from training.corpus.corpus import SAMPLE_RATE, Corpus

COMMAND = "python -m benchmarks development tasks"
SCENES, FRAMES = "tasks", "frames"  # folders of tasks
PREFIX, SUFFIX = "development_", "-1.0.0-full"
SEED = 0


def task_name(what: str) -> str:
    """Name of a task's folder.

    Examples
    --------
    >>> task_name("kind")
    'development_kind-1.0.0-full'
    """
    return f"{PREFIX}{what}{SUFFIX}"


def short_name(name: str) -> str:
    """The argument of :func:`task_name`, or the name itself.

    Examples
    --------
    >>> short_name("development_kind-1.0.0-full"), short_name("esc10-1.0.0-full")
    ('kind', 'esc10-1.0.0-full')
    """
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX).removesuffix(SUFFIX)
    return name


def scene_task(what: str, splits: Sequence[str], seconds: float, about: str) -> SceneTask:
    """A task at the corpus rate, so that nothing is resampled."""
    return SceneTask(task_name(what), tuple(splits), seconds, COMMAND, about, SAMPLE_RATE)


@dataclass(frozen=True)
class Excerpt:
    """A labelled recording.

    Attributes
    ----------
    recording : int
        Index in the corpus.
    name : str
        Source and file.
    label : str
        The target class.
    group : str
        Unit that must not be split between training and test: a package, a speaker, a phrase.
    """

    recording: int
    name: str
    label: str
    group: str


def named_recordings(corpus: Corpus, shortest: float = 0.0) -> Iterator[tuple[int, str, str]]:
    """Index, ``source/file`` and kind of the recordings with at least this duration in seconds."""
    table = corpus.recordings
    columns = (table["source"], table["file"], table["kind"], table["n_samples"])
    for i, (source, file, kind, n_samples) in enumerate(zip(*columns, strict=True)):
        if n_samples >= shortest * SAMPLE_RATE:
            yield i, f"{source}/{file}", kind


def draw_balanced(excerpts: Sequence[Excerpt], n_per_class: int, seed: int) -> list[Excerpt]:
    """At most `n_per_class` of each label, from its groups in turn.

    Examples
    --------
    >>> many = [Excerpt(i, f"{i}", "rain", "big" if i else "small") for i in range(9)]
    >>> sorted(each.group for each in draw_balanced(many, 3, seed=0))
    ['big', 'big', 'small']
    """
    by_label: dict[str, dict[str, list[Excerpt]]] = defaultdict(lambda: defaultdict(list))
    for each in sorted(excerpts, key=lambda each: each.name):
        by_label[each.label][each.group].append(each)
    drawn: list[Excerpt] = []
    for number, label in enumerate(sorted(by_label)):
        rng = np.random.default_rng([seed, number])
        left = [shuffled(own, rng) for _, own in sorted(by_label[label].items())]
        chosen: list[Excerpt] = []
        while len(chosen) < n_per_class and (left := [own for own in left if own]):
            chosen += [own.pop() for own in left][: n_per_class - len(chosen)]
        drawn += chosen
    return drawn


def shuffled(excerpts: Sequence[Excerpt], rng: np.random.Generator) -> list[Excerpt]:
    """The same in random order."""
    return [excerpts[i] for i in rng.permutation(len(excerpts))]


def folds_of_groups(excerpts: Sequence[Excerpt], n_folds: int) -> dict[str, int]:
    """A fold for each group, such that the clips of every class are spread over the folds.

    Groups are assigned in order of size, the largest first; each to the fold where its classes have
    the fewest clips so far.

    Examples
    --------
    >>> clips = [Excerpt(i, "", label, group) for i, (label, group) in enumerate(
    ...     [("rain", "a"), ("rain", "a"), ("rain", "b"), ("dog", "b"), ("dog", "c")])]
    >>> folds_of_groups(clips, 2)
    {'a': 0, 'b': 1, 'c': 0}
    """
    sizes = Counter(each.group for each in excerpts)
    own: dict[str, Counter[str]] = defaultdict(Counter)
    for each in excerpts:
        own[each.group][each.label] += 1
    filled: list[Counter[str]] = [Counter() for _ in range(n_folds)]
    folds = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        costs = [
            (sum(count * fold[label] for label, count in own[group].items()), fold.total())
            for fold in filled
        ]
        folds[group] = costs.index(min(costs))
        filled[folds[group]].update(own[group])
    return folds


def clip_of(corpus: Corpus, excerpt: Excerpt, split: str, seconds: float) -> LabelledClip:
    """The middle of a recording, or all of it if it is shorter."""
    name = f"{re.sub('[^a-z0-9]+', '_', excerpt.label.lower())}-{excerpt.recording:06}.wav"
    read = partial(_middle, corpus, excerpt.recording, seconds)
    return LabelledClip(name, excerpt.label, split, read)


def _middle(corpus: Corpus, recording: int, seconds: float) -> tuple[NDArray[np.float64], int]:
    n_samples = int(corpus.recordings["n_samples"].iloc[recording])
    n = min(n_samples, round(seconds * SAMPLE_RATE))
    return corpus.samples(recording, (n_samples - n) // 2, n).astype(np.float64), SAMPLE_RATE
