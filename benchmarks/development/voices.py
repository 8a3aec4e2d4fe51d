"""Real voices of the corpus: speaker, phrase and letter classification.

``speaker``: voices distinguished by the packages' folder or file names, five training clips each;
test utterances differ from all training utterances.

``phrase``: short phrases that the voices of a game have each recorded, tested on two voices not
used in training, eight examples of each phrase.

``letter``: names of letters in languages with similar names, tested on speakers not used in
training. Some languages say "be", others "bi": that lowers all scores alike.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.development.excerpts import (
    SEED,
    Excerpt,
    clip_of,
    folds_of_groups,
    named_recordings,
    scene_task,
    shuffled,
)
from benchmarks.hear.tasks.task_writer import fold_names, make_scene_task
from training.corpus.corpus import Corpus

# Patterns for ``source/file``; without `said`, the utterance is the file name.
SPEAKERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"asterisk-core-sounds-\w+-wav/.*/sounds/(?P<voice>\w+)/[^/]+$",
        r"asterisk-prompt-\w+-menardi-wav/.*/sounds/(?P<voice>\w+)/[^/]+$",
        r"hedgewars-data/.*/voices/(?P<voice>\w+)/[^/]+$",
        r"klettres-data/.*/klettres/(?P<voice>\w+)/syllab/[^/]+$",
        r"openarena-data/.*/sound/voices/(?P<voice>\w+)/[^/]+$",
        r"tuxpaint-stamps-default/.*_desc_(?P<voice>be|bg|ca|da|el|es|fr|ro|ru)\.\w+$",
    )
)
N_LEARNED, N_TESTED = 5, 8  # clips of a speaker
SHORTEST = 0.5  # seconds
TESTED_SHARE = 0.6  # of all utterances

PHRASES = (
    "Amazing", "Boring", "Brilliant", "Bugger", "Byebye", "Coward", "Drat", "Excellent",
    "Flawless", "Grenade", "Hello", "Hurry", "Incoming", "Kamikaze", "Melon", "Missed", "Nutter",
    "Oops", "Reinforcements", "Revenge", "Stupid", "Traitor", "Victory",
)  # fmt: skip
PHRASE = re.compile(
    r"hedgewars-data/.*/voices/"
    r"(?P<voice>British|Classic|Default|HillBilly|Mobster|Pirate|Robot|Russian|Singer|Surfer)/"
    rf"(?P<said>{'|'.join(PHRASES)})\.\w+$"
)
N_PHRASE_FOLDS = 5

LETTERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i)asterisk-core-sounds-(en|es|fr|it)-wav/.*/(?P<voice>\w+)/letters/(?P<said>[bflmnorstu])\.",
        r"(?i)asterisk-prompt-it-menardi-wav/.*/(?P<voice>\w+)/letters/(?P<said>[bflmnorstu])\.",
        r"(?i)klettres-data/.*/(?P<voice>de|en|en_GB|es|hu|it|nds|pt_BR)/alpha/(?P<said>[bflmnorstu])\.",
    )
)
N_LETTER_FOLDS = 4
SECONDS = {"speaker": 2.0, "phrase": 1.5, "letter": 1.0}


def make_speaker(corpus: Corpus, tasks_folder: Path) -> Path:
    """Make the speaker task, unless it exists; returns its folder.

    Raises
    ------
    ValueError
        If there are fewer than two voices with enough recordings.
    """
    spoken = _spoken(corpus, SPEAKERS, SHORTEST)
    utterances = sorted({each.group for each in spoken})
    n_tested = round(TESTED_SHARE * len(utterances))
    order = np.random.default_rng(SEED).permutation(len(utterances))
    tested = {utterances[i] for i in order[:n_tested]}
    drawn: list[tuple[Excerpt, str]] = []
    voices = sorted({each.label for each in spoken})
    for number, voice in enumerate(voices):
        rng = np.random.default_rng([SEED, number])
        own = shuffled([each for each in spoken if each.label == voice], rng)
        parts = {
            "train": [each for each in own if each.group not in tested][:N_LEARNED],
            "test": [each for each in own if each.group in tested][:N_TESTED],
        }
        if len(parts["train"]) == N_LEARNED and len(parts["test"]) == N_TESTED:
            drawn += [(each, split) for split, part in parts.items() for each in part]
    _check_several(corpus, "speaker", {each.label for each, _ in drawn})
    about = f"""
- Source: the corpus {corpus.folder.name}.
- Label: the voice, by folder or file name.
- Splits: {N_LEARNED} clips of a voice are learned from, {N_TESTED} tested; no utterance (by file \
name) is in both, of no voice."""
    task = scene_task("speaker", ("train", "test"), SECONDS["speaker"], about)
    return make_scene_task(
        task,
        tasks_folder,
        lambda: [clip_of(corpus, each, split, task.seconds) for each, split in drawn],
    )


def make_phrase(corpus: Corpus, tasks_folder: Path) -> Path:
    """Make the phrase task, as :func:`make_speaker`."""
    return _make_by_voice(corpus, tasks_folder, "phrase", [PHRASE], N_PHRASE_FOLDS)


def make_letter(corpus: Corpus, tasks_folder: Path) -> Path:
    """Make the letter task, as :func:`make_speaker`."""
    return _make_by_voice(corpus, tasks_folder, "letter", LETTERS, N_LETTER_FOLDS)


def _make_by_voice(
    corpus: Corpus, tasks_folder: Path, what: str, patterns: Iterable[re.Pattern[str]], n: int
) -> Path:
    excerpts = _spoken(corpus, patterns, 0.0)
    drawn = [Excerpt(each.recording, each.name, each.group, each.label) for each in excerpts]
    _check_several(corpus, what, {each.label for each in drawn})
    folds, names = folds_of_groups(drawn, n), fold_names(n)
    by_fold: dict[str, list[str]] = defaultdict(list)
    for voice, number in sorted(folds.items()):
        by_fold[names[number]].append(voice)
    contents = "; ".join(f"{name}: {', '.join(by_fold[name])}" for name in names)
    about = f"""
- Source: the corpus {corpus.folder.name}.
- Label: the {what}.
- Folds: voices. {contents}."""
    task = scene_task(what, names, SECONDS[what], about)
    return make_scene_task(
        task,
        tasks_folder,
        lambda: [clip_of(corpus, each, names[folds[each.group]], task.seconds) for each in drawn],
    )


def _spoken(corpus: Corpus, patterns: Iterable[re.Pattern[str]], shortest: float) -> list[Excerpt]:
    """Recordings with a matching name: the label is the voice, the group the utterance."""
    found = []
    for i, name, _ in named_recordings(corpus, shortest):
        for pattern in patterns:
            if match := pattern.match(name):
                said = match.groupdict().get("said") or re.sub("_desc_.*", "", Path(name).stem)
                voice = f"{name.partition('-')[0]}_{match['voice']}"
                found.append(Excerpt(i, name, voice, said.lower()))
    return sorted(found, key=lambda each: each.name)


def _check_several(corpus: Corpus, what: str, labels: set[str]) -> None:
    if len(labels) < 2:
        raise ValueError(
            f"{corpus.folder}: expected recordings of several {what}s, found {len(labels)}; build "
            "a corpus with the packages asterisk-core-sounds-*-wav, klettres-data and "
            "hedgewars-data"
        )
