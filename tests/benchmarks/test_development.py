"""Development tasks: what is tested was not learned from, and scores are what they should be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from scipy.optimize import linear_sum_assignment

import hear_brainsoundnet
from benchmarks.development.candidates import (
    Candidate,
    columns_of,
    every_scene,
    mean_cosine,
    moved_by_click,
)
from benchmarks.development.excerpts import Excerpt, draw_balanced, folds_of_groups
from benchmarks.development.measure import answers_of, difference, log_odds, measure, overall
from benchmarks.development.notes import instrument_notes, scale_notes, score_of
from benchmarks.development.onsets import make_onset, n_matched, peaks
from benchmarks.development.sounds import EVENTS, make_event, make_kind
from benchmarks.development.voices import (
    N_LEARNED,
    N_TESTED,
    make_letter,
    make_phrase,
    make_speaker,
)
from benchmarks.development.words import LEARNED, N_FEW, TESTED, TESTED_VARIANTS, WORDS, utterances
from benchmarks.hear.task_folder import TaskFolder, read_task
from hear_brainsoundnet.geometry import stage_geometry
from training.corpus.build import build
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.corpus.source import AudioFile, Source
from training.corpus.speech import VARIANTS
from training.corpus.words import FLITE_VOICES

SPEECH_COMMANDS = """
    backward bed bird cat dog down eight five follow forward four go happy house learn left marvin
    nine no off on one right seven sheila six stop three tree two up visual wow yes zero
"""


def corpus_of(folder: Path, files: dict[str, dict[str, str]], seconds: float = 0.6) -> Corpus:
    """A corpus of short noises: by package, the kind of each file."""
    sources, generator = [], np.random.default_rng(0)
    for package, kinds in files.items():
        own = []
        for number, (name, kind) in enumerate(kinds.items()):
            path = folder / package / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = 0.1 * generator.standard_normal(round(seconds * SAMPLE_RATE))
            soundfile.write(path, noise, SAMPLE_RATE)
            own.append(AudioFile(path, name, kind, "CC0-1.0"))
        sources.append(Source(package, files=tuple(own)))
    build(sources, folder / "corpus")
    return Corpus.open(folder / "corpus")


def names_by_split(task: TaskFolder, corpus: Corpus) -> dict[str, list[tuple[str, str]]]:
    """By split, label and ``source/file`` of the recordings that the clips were cut from."""
    table = corpus.recordings
    return {
        split: [
            (label, "/".join(table.loc[int(name[-10:-4]), ["source", "file"]]))
            for name, (label,) in labels.items()
        ]
        for split, labels in task.labels.items()
    }


@pytest.mark.parametrize(("make", "what"), [(make_kind, "kind"), (make_event, "event")])
def test_no_package_is_in_two_folds(
    make: Callable[[Corpus, Path], Path], what: str, tmp_path: Path
) -> None:
    kinds = ("effects", "animals") if what == "kind" else ("effects",)
    names = ("bell", "dog")
    corpus = corpus_of(
        tmp_path,
        {
            f"package{i}": {
                f"{name}_{n}.wav": kinds[place % len(kinds)]
                for n in range(2 + i)
                for place, name in enumerate(names)
            }
            for i in range(5)
        },
    )
    task = read_task(make(corpus, tmp_path / "tasks"))
    by_split = names_by_split(task, corpus)
    packages = [{name.partition("/")[0] for _, name in own} for own in by_split.values()]
    assert len(packages) == 4
    assert sum(map(len, packages)) == len(set.union(*packages)) == 5
    counts = Counter(label for own in by_split.values() for label, _ in own)
    assert set(counts.values()) == {20}
    if what == "event":
        assert all({"bell": "bell", "canine": "dog"}[label] in name
                   for own in by_split.values() for label, name in own)  # fmt: skip


def test_speakers_are_tested_on_what_nobody_said_in_training(tmp_path: Path) -> None:
    said = [f"phrase{i}.ogg" for i in range(25)]
    files = {
        "hedgewars-data": {
            f"Data/Sounds/voices/{voice}/{name}": "speech"
            for voice in ("Pirate", "Robot")
            for name in said
        },
        "asterisk-core-sounds-en-wav": {f"x/sounds/Allison/{name}": "speech" for name in said},
        "asterisk-core-sounds-fr-wav": {f"x/sounds/June/{name}": "speech" for name in said[:4]},
    }
    corpus = corpus_of(tmp_path, files)
    task = read_task(make_speaker(corpus, tmp_path / "tasks"))
    by_split = names_by_split(task, corpus)
    voices = ("hedgewars_Pirate", "hedgewars_Robot", "asterisk_Allison")  # June has said too little
    for split, n in (("train", N_LEARNED), ("test", N_TESTED)):
        assert Counter(label for label, _ in by_split[split]) == dict.fromkeys(voices, n)
    learned, tested = ({Path(name).name for _, name in by_split[s]} for s in ("train", "test"))
    assert not learned & tested


@pytest.mark.parametrize("make", [make_phrase, make_letter])
def test_no_voice_is_in_two_folds(make: Callable[[Corpus, Path], Path], tmp_path: Path) -> None:
    voices = ("British", "Classic", "Default", "Pirate", "Robot", "Default_ru")
    files = {
        "hedgewars-data": {
            f"Data/voices/{voice}/{name}.ogg": "speech"
            for voice in voices
            for name in ("Melon", "Nutter", "Yessir")
        },
        "klettres-data": {
            f"klettres/{language}/alpha/{name}.ogg": "letters"
            for language in ("de", "es", "it", "en", "he")
            for name in "BM9"
        },
    }
    corpus = corpus_of(tmp_path, files)
    task = read_task(make(corpus, tmp_path / "tasks"))
    by_split = names_by_split(task, corpus)
    spoken = [{name.split("/")[-2 if make is make_phrase else -3] for _, name in own}
              for own in by_split.values()]  # fmt: skip
    n = 5 if make is make_phrase else 4
    assert sum(map(len, spoken)) == len(set.union(*spoken)) == n  # no Russian, no Hebrew
    labels = {label for own in by_split.values() for label, _ in own}
    assert labels == ({"melon", "nutter"} if make is make_phrase else {"b", "m"})


def test_a_draw_is_balanced_and_does_not_depend_on_the_order_of_the_corpus() -> None:
    excerpts = [
        Excerpt(i, f"{group}/{i}", label, group)
        for i, (label, group) in enumerate(
            [("a", "big")] * 50 + [("a", "small")] * 3 + [("b", "big")] * 5
        )
    ]
    drawn = draw_balanced(excerpts, 8, seed=0)
    assert Counter((each.label, each.group) for each in drawn) == {
        ("a", "big"): 5,
        ("a", "small"): 3,
        ("b", "big"): 5,
    }
    assert draw_balanced(excerpts[::-1], 8, seed=0) == drawn
    assert draw_balanced(excerpts, 8, seed=1) != drawn


def test_every_class_is_in_several_folds_if_it_is_in_several_groups() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        excerpts = [
            Excerpt(i, str(i), f"class{generator.integers(5)}", f"group{generator.integers(9)}")
            for i in range(200)
        ]
        folds = folds_of_groups(excerpts, 4)
        assert set(folds.values()) == set(range(4))
        for label in {each.label for each in excerpts}:
            assert len({folds[each.group] for each in excerpts if each.label == label}) > 1


def test_words_are_tested_on_other_voices_and_are_no_words_of_the_reported_tasks() -> None:
    assert not set(WORDS) & set(SPEECH_COMMANDS.split())
    assert not set(LEARNED) & set(TESTED)
    assert not set(TESTED_VARIANTS) & set(VARIANTS)  # of corpora
    assert not {each.name for each in TESTED if each.program == "flite"} & set(FLITE_VOICES)
    train, test, few = ([*utterances("train")], [*utterances("test")],
                        [*utterances("train", few=True)])  # fmt: skip
    assert not {each.voice for each in train} & {each.voice for each in test}
    assert Counter(each.word for each in few) == dict.fromkeys(WORDS, N_FEW)
    assert all(len({each.voice for each in few if each.word == word}) == N_FEW for word in WORDS)
    commands = {tuple(each.command()) for each in (*train, *test)}
    assert len(commands) == len(train) + len(test)  # no two are spoken alike


def test_no_instrument_is_in_two_folds_and_each_note_sounds_alone() -> None:
    for notes in (instrument_notes(), scale_notes()):
        by_fold = [{note.program for note in notes if note.fold == fold} for fold in range(4)]
        assert sum(map(len, by_fold)) == len(set.union(*by_fold))
        labels = [{note.label for note in notes if note.fold == fold} for fold in range(4)]
        assert all(own == labels[0] for own in labels)
    programs = sorted({note.program for note in scale_notes()})[:15]
    own = [note for note in scale_notes() if note.program in programs]
    score = score_of(own, programs)
    ends = [0.0, *(note.end for note in score.notes)]
    assert all(note.start >= end for note, end in zip(score.notes, ends, strict=False))
    assert all(note.channel != 9 for note in score.notes)
    assert [(score.programs[n.channel], n.key) for n in score.notes] == [
        (note.program, note.key) for note in own
    ]


def task_of(labels: dict[str, list[str]]) -> TaskFolder:
    named = {
        split: {f"{i}.wav": [label] for i, label in enumerate(own)} for split, own in labels.items()
    }
    return TaskFolder(Path("task"), {}, named)


def test_a_feature_that_tells_all_scores_1_and_shuffled_labels_chance() -> None:
    generator = np.random.default_rng(0)
    truth = {"fold00": generator.integers(4, size=200), "fold01": generator.integers(4, size=200)}
    embeddings = {
        split: np.hstack([np.eye(4)[own], generator.standard_normal((200, 3))]).astype(np.float32)
        for split, own in truth.items()
    }
    labels = {split: own.astype(str).tolist() for split, own in truth.items()}
    assert answers_of(embeddings, np.arange(7), task_of(labels)).mean() == 1
    noise = answers_of(embeddings, np.arange(4, 7), task_of(labels))
    shuffled = {split: generator.permutation(own).tolist() for split, own in labels.items()}
    chance = answers_of(embeddings, np.arange(7), task_of(shuffled))
    for answers in (noise, chance):
        assert len(answers) == 400
        assert abs(answers.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)


@pytest.mark.parametrize("scene", ["conv7", "pool5:max,mean+conv2:std+conv3", "pool1:std"])
def test_columns_are_what_the_expression_embeds(scene: str) -> None:
    stages = stage_geometry()
    audio = 0.1 * torch.randn(2, 30_000, generator=torch.Generator().manual_seed(0))
    tables = [
        hear_brainsoundnet.get_scene_embeddings(
            audio, hear_brainsoundnet.load_model("untrained", sample_rate=22_050, scene=expression)
        ).numpy()
        for expression in (every_scene(stages), scene)
    ]
    np.testing.assert_allclose(tables[0][:, columns_of(scene, stages)], tables[1], rtol=1e-5)


def test_stage_that_is_left_out_is_refused() -> None:
    with pytest.raises(ValueError, match="conv1 is not compared here; choose from pool1"):
        columns_of("conv1", stage_geometry())


def test_difference_has_the_error_of_drawing_clips_again() -> None:
    generator = np.random.default_rng(0)
    hard = generator.random(400)
    first = {"kind": hard < 0.6, "speaker": hard[:200] < 0.8}
    second = {task: own ^ (generator.random(len(own)) < 0.15) for task, own in first.items()}
    found, error = difference(second, first)
    assert found == pytest.approx(overall(second) - overall(first))
    draws = []
    for _ in range(500):
        places = {task: generator.integers(len(own), size=len(own)) for task, own in first.items()}
        draws.append(
            overall({task: own[places[task]] for task, own in second.items()})
            - overall({task: own[places[task]] for task, own in first.items()})
        )
    assert error == pytest.approx(np.std(draws), rel=0.15)


def test_fields_count_alike_however_many_tasks_they_have() -> None:
    good, bad = np.repeat([True, False], [90, 10]), np.repeat([True, False], [10, 90])
    answers = {"word": good, "letter": good, "phrase": good, "speaker": bad}
    assert overall(answers) == pytest.approx((log_odds(good) + log_odds(bad)) / 2)
    with pytest.raises(ValueError, match="expected development tasks"):
        overall({"esc10": good})


def test_onsets_are_paired_as_many_as_can_be() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        found, true = (np.sort(generator.uniform(0, 2000, generator.integers(6))) for _ in "ab")
        near = np.abs(found[:, None] - true) <= 200
        rows, columns = linear_sum_assignment(near, maximize=True)
        assert n_matched(found, true) == near[rows, columns].sum()


def test_peaks_are_highest_within_their_neighbourhood() -> None:
    values = np.array([5.0, 0, 0, 2, 4, 3, 0, 0, 0, 1, 6])
    assert peaks(values, 100.0 * np.arange(11), 1.5).tolist() == [0, 400, 1000]


def test_composed_onsets_are_where_the_labels_say(tmp_path: Path) -> None:
    files = {f"p{i}": {f"{n}.wav": "drums" for n in range(3)} for i in range(3)}
    files["p0"] |= {f"wind{n}.wav": "ambience" for n in range(3)}
    corpus = corpus_of(tmp_path, files, seconds=1.2)
    task = read_task(make_onset(corpus, tmp_path, {"train": 2, "valid": 1, "test": 2}))
    for split, labels in task.labels.items():
        for name, events in labels.items():
            audio, rate = soundfile.read(task.path / str(SAMPLE_RATE) / split / name)
            assert events
            for event in events:  # noise over noise, 6 dB or more above it
                start = round(event["start"] * rate / 1000)
                before, behind = audio[start - 2000 : start], audio[start : start + 2000]
                assert np.mean(behind**2) > 2.5 * np.mean(before**2)


def test_level_and_clicks_move_what_depends_on_them() -> None:
    own = np.random.default_rng(0).standard_normal((50, 8))
    assert mean_cosine(own, own) == pytest.approx(1)
    assert abs(mean_cosine(own, own[::-1])) < 0.3
    assert moved_by_click(Candidate("as they are", "untrained", level=0.0)) == 0


def test_events_share_no_word() -> None:
    words = [word for own in EVENTS.values() for word in own]
    assert len(words) == len(set(words))


@pytest.mark.slow
def test_table_compares_candidates_and_keeps_all_answers(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        {f"p{i}": {f"{kind}{n}.wav": kind for n in range(4) for kind in ("drums", "notes")}
         for i in range(4)},
    )  # fmt: skip
    make_kind(corpus, tmp_path / "tasks" / "tasks")
    candidates = [Candidate("a", "untrained"), Candidate("a", "untrained", "conv2", 0.0)]
    document = measure(candidates, tmp_path / "tasks", tmp_path / "cache")
    first, second = document["rows"]
    assert (first["level"], second["level"]) == ("preset's", 0.0)
    assert first["against the first"] == ""
    assert "±" in second["against the first"]
    for row, answers in zip(document["rows"], document["details"]["answers"], strict=True):
        share = answers["kind"].count("1") / 32
        assert row["kind"].startswith(f"{share:.3f} (")
        assert len(answers["kind"]) == 32
    assert json.dumps(document)
