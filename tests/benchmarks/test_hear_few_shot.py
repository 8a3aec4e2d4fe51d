"""Few examples: what is drawn, that all models see the same, and that chance is chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression

from benchmarks.hear.few_shot import (
    available_examples,
    draw_order,
    few_shot_accuracy,
    probe_accuracy,
    run_few_shot,
)
from benchmarks.hear.page import accuracy_rows, pair_rows, write_page
from benchmarks.hear.scores import read_json
from benchmarks.hear.task_folder import read_task

RATE, N_CLIPS = 44_100, 4  # clips of each class and fold


def write_fold_task(tasks: Path, name: str = "tones-1.0-full", n_folds: int = 3) -> Path:
    """Low and high tones in noise, of half a second; one clip of silence in the first fold."""
    generator = np.random.default_rng(0)
    task = tasks / name
    folds = [f"fold{number:02}" for number in range(n_folds)]
    time = np.arange(RATE // 2) / RATE
    for fold in folds:
        folder = task / str(RATE) / fold
        folder.mkdir(parents=True)
        labels = {}
        for number in range(2 * N_CLIPS):
            label = "low" if number < N_CLIPS else "high"
            hertz = generator.uniform(200, 400) * (1 if label == "low" else 10)
            audio = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.05 * generator.normal(size=len(time))
            if (fold, number) == ("fold00", 1):
                audio[:] = 0
            soundfile.write(folder / f"{number}.wav", np.clip(audio, -1, 1), RATE)
            labels[f"{number}.wav"] = [label]
        (task / f"{fold}.json").write_text(json.dumps(labels))
    metadata = {
        "task_name": "tones",
        "version": "1.0",
        "embedding_type": "scene",
        "prediction_type": "multiclass",
        "split_mode": "presplit_kfold",
        "sample_duration": 0.5,
        "splits": folds,
        "evaluation": ["top1_acc"],
    }
    (task / "task_metadata.json").write_text(json.dumps(metadata))
    (task / "labelvocabulary.csv").write_text("idx,label\n0,high\n1,low\n")
    return task


def test_a_draw_has_n_of_each_class_and_larger_draws_contain_smaller_ones() -> None:
    labels = np.array(["a"] * 6 + ["b"] * 9)
    order = draw_order(labels, np.random.default_rng(0))
    assert {label: sorted(own) for label, own in order.items()} == {
        "a": list(range(6)),
        "b": list(range(6, 15)),
    }
    again = draw_order(labels, np.random.default_rng(0))
    other = draw_order(labels, np.random.default_rng(1))
    assert all((order[label] == again[label]).all() for label in "ab")
    assert any((order[label] != other[label]).any() for label in "ab")


def test_standardised_by_what_it_learned_from_only() -> None:
    generator = np.random.default_rng(2)
    x, x_test = generator.normal(5, [1, 100], (30, 2)), generator.normal(5, [1, 100], (40, 2))
    y, y_test = np.where(x[:, 0] > 5, "a", "b"), np.where(x_test[:, 0] > 5, "a", "b")
    scaled, scaled_test = ((each - x.mean(0)) / x.std(0) for each in (x, x_test))
    probe = LogisticRegression().fit(scaled, y)
    assert probe_accuracy(x, y, x_test, y_test) == probe.score(scaled_test, y_test)


def test_all_models_see_the_same_draws() -> None:
    """An embedding that shows which clip it is of: a copy of it scores the same, draw by draw."""
    generator = np.random.default_rng(3)
    labels = {fold: list("abab") * 3 for fold in ("fold00", "fold01")}
    embeddings = {fold: generator.normal(size=(12, 4)) for fold in labels}
    first = few_shot_accuracy(embeddings, labels, [1, 3], 4, seed=5)
    mirrored = {fold: -10 * own + 3 for fold, own in embeddings.items()}
    second = few_shot_accuracy(mirrored, labels, [1, 3], 4, seed=5)
    other = few_shot_accuracy(embeddings, labels, [1, 3], 4, seed=6)
    for n in (1, 3):
        np.testing.assert_allclose(first[n], second[n])
    assert any((first[n] != other[n]).any() for n in (1, 3))
    # The draws of an n do not depend on which other n were requested.
    np.testing.assert_allclose(few_shot_accuracy(embeddings, labels, [3], 4, seed=5)[3], first[3])


def test_labels_without_relation_score_at_chance() -> None:
    generator = np.random.default_rng(4)
    labels = {fold: list("abcd") * 25 for fold in ("fold00", "fold01", "fold02")}
    embeddings = {fold: generator.normal(size=(100, 3)) for fold in labels}
    accuracy = few_shot_accuracy(embeddings, labels, [5], 10)
    assert accuracy[5].mean() == pytest.approx(0.25, abs=0.03)


def test_train_and_test_splits_are_used_as_such() -> None:
    embeddings = {
        "train": np.array([[0.0], [1.0]]),
        "valid": np.array([[1.0], [0.0]]),  # the wrong way round: learned from, it would spoil all
        "test": np.array([[0.1], [0.9]]),
    }
    labels = {split: ["a", "b"] for split in embeddings}
    assert few_shot_accuracy(embeddings, labels, [1], 3)[1].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.slow
def test_runs_to_its_end_goes_on_and_is_shown(tmp_path: Path) -> None:
    write_fold_task(tmp_path / "tasks")
    folders = tmp_path / "tasks", tmp_path / "out"
    settings = {"examples": [1, 5], "n_draws": 9, "progress": False}
    path = run_few_shot("benchmarks.hear.logmel", *folders, **settings)
    before = path.stat().st_mtime_ns
    assert run_few_shot("benchmarks.hear.logmel", *folders, **settings) == path
    assert path.stat().st_mtime_ns == before
    other = run_few_shot("faulty_hear_module", *folders, **settings)
    documents = {name: read_json(p) for name, p in (("logmel", path), ("other", other))}
    (task,) = documents["logmel"]["tasks"]
    assert np.mean(task["accuracy"]["5"]) > 0.9
    rows = accuracy_rows(documents)
    assert [row["examples"] for row in rows] == [1, 5]
    assert rows[0]["chance"] == 0.5
    pair = pair_rows(documents)[1]
    values = [np.array(each["tasks"][0]["accuracy"]["5"]) for each in documents.values()]
    differences = values[0] - values[1]
    assert pair["mean difference"] == pytest.approx(differences.mean())
    assert pair["95 % from"] < pair["mean difference"] < pair["to"]
    assert "p" not in pair  # draws share their test clips
    page = write_page(tmp_path / "out", tmp_path / "results.md")
    text = page.read_text()
    assert "few-shot benchmarks.hear.logmel" in text
    assert "--examples 1,5 --draws 9 --seed 0" in text
    assert (tmp_path / "results-few-shot.png").stat().st_size > 1000
    again = write_page(page.with_suffix(""), tmp_path / "again" / "results.md")
    assert again.read_bytes() == page.read_bytes()


def test_a_clip_without_numbers_is_named(tmp_path: Path) -> None:
    write_fold_task(tmp_path / "tasks")
    with pytest.raises(ValueError, match=r"tones-1\.0-full: the embedding of clip fold00/1\.wav"):
        run_few_shot(
            "faulty_hear_module",
            tmp_path / "tasks",
            tmp_path / "out",
            options={"undefined_on": "silence"},
            examples=[1],
            progress=False,
        )


def test_where_a_class_has_fewer_as_many_are_drawn_as_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two folds of four clips each are learned from: 8 of each class, whatever is asked for."""
    task = read_task(write_fold_task(tmp_path / "tasks"))
    assert available_examples(task, [50, 1]) == available_examples(task, [8, 9, 1]) == [1, 8]
    words = "class 'high' has 8 examples to learn from when fold00 is tested; 8 are drawn where "
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        f"{words}50 were requested",
        f"{words}9 were requested",
    ]
    caplog.clear()
    assert available_examples(task, [1, 8]) == [1, 8]
    assert not caplog.records
    path = run_few_shot(
        "benchmarks.hear.logmel", tmp_path / "tasks", tmp_path / "out", n_draws=2, progress=False
    )
    (found,) = read_json(path)["tasks"]
    assert found["examples"] == [1, 5, 8]
    assert list(found["accuracy"]) == ["1", "5", "8"]


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    task = write_fold_task(tmp_path / "tasks")
    folders = tmp_path / "tasks", tmp_path / "out"
    with pytest.raises(ValueError, match=r"examples and draws of 1 or more, got \[0\] and 20"):
        run_few_shot("benchmarks.hear.logmel", *folders, examples=[0])
    metadata = json.loads((task / "task_metadata.json").read_text())
    (task / "task_metadata.json").write_text(json.dumps({**metadata, "embedding_type": "event"}))
    with pytest.raises(ValueError, match="one of event and multiclass"):
        run_few_shot("benchmarks.hear.logmel", *folders, examples=[1])
    (task / "task_metadata.json").write_text(json.dumps(metadata))
    for fold in ("fold01", "fold02"):
        labels = json.loads((task / f"{fold}.json").read_text())
        low = {name: own for name, own in labels.items() if own == ["low"]}
        (task / f"{fold}.json").write_text(json.dumps(low))
    with pytest.raises(ValueError, match=r"'high' has no examples to learn from when fold00 is"):
        run_few_shot("benchmarks.hear.logmel", *folders, examples=[1])
    assert not (tmp_path / "out").exists()
