"""Few-shot accuracy: a probe trained on few examples of each class.

From a task's training set, `n` examples of each class are drawn, many times; a logistic regression
is trained on their frozen, standardised scene embeddings and tested on the task's whole test set.
With folds each draw is made and tested once for every fold, and its accuracy is the mean over
folds. Draws depend on seed and task only, so all models have the same examples; within a draw the
larger sets contain the smaller ones.

The probe has no tuned hyper-parameters: so few examples do not allow any selection.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.hear.model_identity import model_for
from benchmarks.hear.scene_embeddings import scene_embeddings
from benchmarks.hear.scores import FEW_SHOT, FORMAT_VERSION, read_json, write_json
from benchmarks.hear.task_folder import TaskFolder, find_tasks

logger = logging.getLogger(__name__)

EXAMPLES, DRAWS = (1, 5, 10, 50), 20
DISTRIBUTIONS = ("numpy", "scikit-learn", "torch", "torchaudio")


def run_few_shot(
    module: str,
    tasks_folder: Path,
    out: Path,
    *,
    checkpoint: str = "",
    options: Mapping[str, Any] | None = None,
    task_names: Iterable[str] = (),
    examples: Sequence[int] = EXAMPLES,
    n_draws: int = DRAWS,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Measure one model; finished tasks with the same settings are skipped.

    Parameters
    ----------
    module, tasks_folder, out, checkpoint, options, task_names, progress
        As for :func:`benchmarks.hear.run.run_model`.
    examples : sequence of int
        Numbers of examples of each class. For a class with fewer, the largest number that all
        classes have is used instead, with a warning.
    n_draws : int
        Number of draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    Path
        The model's ``few-shot.json``.

    Raises
    ------
    FileNotFoundError, ValueError
        If tasks, model or numbers are invalid, or a class has no training examples; raised before
        any computation.
    """
    if not examples or min(examples) < 1 or n_draws < 1:
        raise ValueError(
            f"expected numbers of examples and draws of 1 or more, got {list(examples)} and "
            f"{n_draws}"
        )
    tasks = find_tasks(tasks_folder, task_names)
    chosen = {task.name: available_examples(task, examples) for task in tasks}
    model = model_for(tasks, module, checkpoint, options)
    path = out / model.folder / FEW_SHOT
    done = {each["task"]: each for each in read_json(path)["tasks"]} if path.exists() else {}
    for task in tqdm(tasks, desc=model.label, unit="task", disable=not progress):
        settings = {
            "task": task.name,
            "task_hash": task.content_hash(),
            "examples": chosen[task.name],
            "draws": n_draws,
            "seed": seed,
        }
        if all(done.get(task.name, {}).get(key) == value for key, value in settings.items()):
            continue
        embeddings = scene_embeddings(model, task, path.parent / "scene" / f"{task.name}.npz")
        accuracy = few_shot_accuracy(
            embeddings, labels_of(task), settings["examples"], n_draws, seed, progress=progress
        )
        done[task.name] = {
            **settings,
            "n_classes": len({label for own in labels_of(task).values() for label in own}),
            "accuracy": {str(n): values.tolist() for n, values in accuracy.items()},
            "versions": {name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        }
        document = {"format_version": FORMAT_VERSION, "model": model.as_dict()}
        write_json(path, {**document, "tasks": [done[name] for name in sorted(done)]})
    return path


def few_shot_accuracy(
    embeddings: Mapping[str, NDArray[np.floating]],
    labels: Mapping[str, Sequence[str]],
    examples: Sequence[int],
    n_draws: int,
    seed: int = 0,
    *,
    progress: bool = False,
) -> dict[int, NDArray[np.float64]]:
    """Accuracy by number of examples, then draw, ``(n_draws,)``.

    Parameters
    ----------
    embeddings, labels : mapping
        By split: ``(n_clips, n_values)``, and a label for each clip.
    examples : sequence of int
    n_draws, seed : int
    progress : bool
        Show a progress bar.

    Examples
    --------
    >>> embeddings = {"train": np.array([[0.0], [0.1], [1.0], [0.9]]), "test": np.array([[0.2]])}
    >>> labels = {"train": ["a", "a", "b", "b"], "test": ["a"]}
    >>> few_shot_accuracy(embeddings, labels, [1], 2)
    {1: array([1., 1.])}
    """
    accuracy = {n: np.zeros(n_draws) for n in examples}
    tests = tested_splits(labels)
    for draw in tqdm(range(n_draws), desc="draws", leave=False, disable=not progress):
        for number, test in enumerate(tests):
            x, y = learned_examples(embeddings, labels, test)
            order = draw_order(y, np.random.default_rng([seed, draw, number]))
            for n in examples:
                chosen = np.concatenate([own[:n] for own in order.values()])
                score = probe_accuracy(x[chosen], y[chosen], embeddings[test], labels[test])
                accuracy[n][draw] += score / len(tests)
    return accuracy


def draw_order(
    labels: NDArray[np.str_], generator: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """By class, the indices of its examples in random order: the first `n` are a draw of `n`."""
    return {
        str(label): generator.permutation(np.flatnonzero(labels == label))
        for label in np.unique(labels)
    }


def probe_accuracy(
    x: NDArray[np.floating],
    y: NDArray[np.str_],
    x_test: NDArray[np.floating],
    y_test: Sequence[str] | NDArray[np.str_],
) -> float:
    """Accuracy of a logistic regression; features standardised by the training set."""
    return float(np.mean(probe_answers(x, y, x_test, y_test)))


def probe_answers(
    x: NDArray[np.floating],
    y: NDArray[np.str_],
    x_test: NDArray[np.floating],
    y_test: Sequence[str] | NDArray[np.str_],
) -> NDArray[np.bool_]:
    """Correctness of that regression for each test clip, ``(n_clips,)``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    probe.fit(np.asarray(x, np.float64), y)
    return np.asarray(probe.predict(np.asarray(x_test, np.float64)) == np.array(y_test))


def answers_by_split(
    embeddings: Mapping[str, NDArray[np.floating]], labels: Mapping[str, Sequence[str]]
) -> dict[str, NDArray[np.bool_]]:
    """Correctness for each clip of each tested split, trained on the others.

    Examples
    --------
    >>> embeddings = {"train": np.array([[0.0], [1.0]]), "test": np.array([[0.2], [0.9], [0.7]])}
    >>> answers_by_split(embeddings, {"train": ["a", "b"], "test": ["a", "b", "a"]})
    {'test': array([ True,  True, False])}
    """
    found = {}
    for test in tested_splits(labels):
        x, y = learned_examples(embeddings, labels, test)
        found[test] = probe_answers(x, y, embeddings[test], labels[test])
    return found


def available_examples(task: TaskFolder, examples: Sequence[int]) -> list[int]:
    """Numbers of examples available in all classes of a task, ascending.

    Raises
    ------
    ValueError
        If clips do not have one label each, or a class has no training examples.
    """
    kinds = (task.metadata["embedding_type"], task.metadata["prediction_type"])
    if kinds != ("scene", "multiclass"):
        raise ValueError(
            f"task {task.name} is one of {kinds[0]} and {kinds[1]}; few examples of each class are "
            "defined for tasks of scene and multiclass: choose tasks with --task"
        )
    n_fewest, label, test = fewest_examples(labels_of(task))
    if not n_fewest:
        raise ValueError(
            f"task {task.name}: class {label!r} has no examples to learn from when {test} is "
            "tested; choose other tasks with --task"
        )
    if max(examples) > n_fewest:
        logger.warning(
            "task %s: class %r has %d examples to learn from when %s is tested; %d are drawn "
            "where %s were requested",
            *(task.name, label, n_fewest, test, n_fewest),
            ", ".join(str(n) for n in sorted(set(examples)) if n > n_fewest),
        )
    return sorted({min(n, n_fewest) for n in examples})


def fewest_examples(labels: Mapping[str, Sequence[str]]) -> tuple[int, str, str]:
    """The smallest number of training examples of a class, the class, and the tested split.

    Examples
    --------
    >>> fewest_examples({"train": ["a", "a", "b"], "test": ["a"]})
    (1, 'b', 'test')
    """
    classes = sorted({label for own in labels.values() for label in own})
    found = []
    for test in tested_splits(labels):
        counts = Counter(label for split in learned_splits(labels, test) for label in labels[split])
        found += [(counts[label], label, test) for label in classes]
    return min(found, key=lambda each: each[0])


def labels_of(task: TaskFolder) -> dict[str, list[str]]:
    """By split, the label of each clip as text."""
    return {split: [str(own[0]) for own in named.values()] for split, named in task.labels.items()}


def tested_splits(labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Tested splits: every fold in turn, or the test set."""
    return ["test"] if "test" in labels else list(labels)


def learned_splits(labels: Mapping[str, Sequence[str]], test: str) -> list[str]:
    """Training splits when `test` is tested: the other folds, or the training set."""
    return ["train"] if "train" in labels else [split for split in labels if split != test]


def learned_examples(
    embeddings: Mapping[str, NDArray[Any]], labels: Mapping[str, Sequence[str]], test: str
) -> tuple[NDArray[Any], NDArray[np.str_]]:
    """Embeddings, or other rows of clips, and labels of the training splits when `test` is
    tested."""
    learned = learned_splits(labels, test)
    x = np.concatenate([embeddings[split] for split in learned])
    return x, np.array([label for split in learned for label in labels[split]])
