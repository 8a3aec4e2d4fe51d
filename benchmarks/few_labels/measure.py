"""Accuracy with few examples from six brain components and their controls; see design.md."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.few_labels import probes
from benchmarks.few_labels.representations import (
    BRAIN,
    COMPONENTS,
    NULLS,
    WHOLE,
    Brain,
    Table,
    read_brain,
)
from benchmarks.hear.few_shot import (
    available_examples,
    draw_order,
    labels_of,
    learned_examples,
    probe_answers,
    tested_splits,
)
from benchmarks.hear.model_identity import model_for
from benchmarks.hear.scene_embeddings import scene_embeddings
from benchmarks.hear.task_folder import find_tasks
from benchmarks.hear.tasks.fsdd import DIGITS_BY_SPEAKER

logger = logging.getLogger(__name__)

EXAMPLES = (1, 2, 5, 10, 20)
SEED = 0
KINDS = {"EngSpeech": "speech", "ForSpeech": "speech", "Music": "music", "Song": "music"}
NATURAL = "speech, music or neither"
N_BOOTSTRAPS = 10_000


@dataclass
class Answers:
    """Accuracies of one task.

    Attributes
    ----------
    accuracy : dict
        By representation and number of examples, a list over draws; for nulls an array
        ``(n_permutations,)`` each.
    correct : dict
        By representation, test unit (clip or speaker), a list of correctness over draws and
        numbers of examples.
    """

    accuracy: dict[tuple[str, int], list[Any]] = field(default_factory=dict)
    correct: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(
        self,
        n: int,
        features: Mapping[str, Table],
        learned: NDArray[np.intp],
        tested: NDArray[np.intp],
        labels: NDArray[np.str_],
        units: Sequence[str],
    ) -> None:
        """Train each representation on rows `learned`, test it on rows `tested`."""
        for name, table in features.items():
            if name in NULLS:
                found = probes.answers(
                    table[:, learned], labels[learned], table[:, tested], labels[tested]
                )
                self.accuracy.setdefault((name, n), []).append(found.mean(axis=1))
                continue
            found = probe_answers(table[learned], labels[learned], table[tested], labels[tested])
            self.accuracy.setdefault((name, n), []).append(float(found.mean()))
            of_units = self.correct.setdefault(name, {})
            for row, answer in zip(tested, found, strict=True):
                of_units.setdefault(units[row], []).append(float(answer))

    def mean(self, name: str) -> Any:
        """Mean over draws and numbers of examples, each number with equal weight."""
        return np.mean(
            [np.mean(v, axis=0) for (own, _), v in self.accuracy.items() if own == name], axis=0
        )

    def of_units(self, name: str) -> Table:
        """Mean correctness of each test unit, in order of their names."""
        return np.array([np.mean(own) for _, own in sorted(self.correct[name].items())])


def measure(
    checkpoint: str,
    tasks_folder: Path,
    data: Path,
    work: Path,
    *,
    n_draws: int,
    n_permutations: int,
) -> dict[str, Answers]:
    """Answers of one checkpoint (a name or file) by task.

    `tasks_folder` holds HEAR tasks of scenes with one label each; embeddings in `work` are reused.
    """
    tasks = find_tasks(tasks_folder, ())
    identity = model_for(tasks, "hear_brainsoundnet", checkpoint)
    brain = read_brain(checkpoint, data)
    found = {NATURAL: _natural(brain, EXAMPLES, n_draws, n_permutations)}
    for task in tasks:
        if task.metadata["embedding_type"] != "scene":
            continue
        logger.info("%s: %s", checkpoint, task.name)
        place = work / identity.folder / "scene" / f"{task.name}.npz"
        scenes = scene_embeddings(identity, task, place)
        labels = labels_of(task)
        names = {split: list(task.labels[split]) for split in labels}
        found[task.name] = _of_task(
            brain, scenes, labels, names, available_examples(task, EXAMPLES),
            n_draws, n_permutations, by_fold=task.name.startswith(DIGITS_BY_SPEAKER),
        )  # fmt: skip
    return found


def _of_task(
    brain: Brain,
    scenes: Mapping[str, NDArray[np.floating]],
    labels: Mapping[str, Sequence[str]],
    names: Mapping[str, Sequence[str]],
    examples: Sequence[int],
    n_draws: int,
    n_permutations: int,
    *,
    by_fold: bool,
) -> Answers:
    splits = list(labels)
    clips = np.concatenate([scenes[split] for split in splits]).astype(np.float64)
    features = brain.representations(clips, n_permutations, SEED)
    split_of = np.array([split for split in splits for _ in labels[split]])
    label_of = np.array([label for split in splits for label in labels[split]])
    units = [split if by_fold else f"{split}/{n}" for split in splits for n in names[split]]
    answers, tests = Answers(), tested_splits(labels)
    for draw in tqdm(range(n_draws), desc="draws", leave=False):
        number = draw % len(tests)
        rows = {split: np.flatnonzero(split_of == split)[:, None] for split in splits}
        learned, y = learned_examples(rows, labels, tests[number])
        order = draw_order(y, np.random.default_rng([SEED, draw, number]))
        for n in examples:
            chosen = learned[np.concatenate([own[:n] for own in order.values()]), 0]
            tested = rows[tests[number]][:, 0]
            answers.add(n, features, chosen, tested, label_of, units)
    return answers


def _natural(brain: Brain, examples: Sequence[int], n_draws: int, n_permutations: int) -> Answers:
    """Speech, music or neither among the sounds of one half, by the responses to the other."""
    answers, n_sounds = Answers(), len(brain.responses)
    kinds = np.array([KINDS.get(category, "neither") for category in brain.categories])
    names = [str(i) for i in range(n_sounds)]
    for draw in tqdm(range(n_draws), desc=NATURAL, leave=False):
        generator = np.random.default_rng([SEED, draw])
        order = generator.permutation(n_sounds)
        known, others = order[: n_sounds // 2], order[n_sounds // 2 :]
        features = brain.half(known).representations(brain.scene, n_permutations, SEED)
        drawn = draw_order(kinds[others], generator)
        fewest = min(len(own) for own in drawn.values()) // 2  # the others are tested
        for n in sorted({min(n, fewest) for n in examples}):
            learned = others[np.concatenate([own[:n] for own in drawn.values()])]
            tested = others[np.concatenate([own[fewest:] for own in drawn.values()])]
            answers.add(n, features, learned, tested, kinds, names)
    return answers


def summary(name: str, found: Mapping[str, Answers]) -> Iterator[dict[str, Any]]:
    """Rows of one checkpoint: a row per task, and all of them together."""
    generator = np.random.default_rng(SEED)
    differences: dict[str, list[Table]] = {COMPONENTS: [], WHOLE: []}
    for task, answers in found.items():
        row: dict[str, Any] = {"checkpoint": name, "task": task}
        row |= {each: float(answers.mean(each)) for each in (BRAIN, COMPONENTS, WHOLE)}
        row |= _ranks(answers.mean(BRAIN), {null: answers.mean(null) for null in NULLS})
        for other, own in differences.items():
            values = answers.of_units(BRAIN) - answers.of_units(other)
            picks = generator.integers(len(values), size=(N_BOOTSTRAPS, len(values)))
            own.append(values[picks].mean(axis=1))
            row |= _interval(other, row[BRAIN] - row[other], own[-1])
        yield row
    together: dict[str, Any] = {"checkpoint": name, "task": "all, equal weight"}
    means = {
        each: np.mean([answers.mean(each) for answers in found.values()], axis=0)
        for each in (BRAIN, COMPONENTS, WHOLE, *NULLS)
    }
    together |= {each: float(means[each]) for each in (BRAIN, COMPONENTS, WHOLE)}
    together |= _ranks(means[BRAIN], {null: means[null] for null in NULLS})
    for other, own in differences.items():
        difference = together[BRAIN] - together[other]
        together |= _interval(other, difference, np.mean(own, axis=0))
    yield together


def _ranks(value: float, nulls: Mapping[str, Table]) -> dict[str, float]:
    found = {}
    for name, draws in nulls.items():
        found[name] = float(draws.mean())
        found[f"p against {name}"] = float((1 + np.sum(draws >= value)) / (1 + len(draws)))
    return found


def _interval(other: str, difference: float, draws: Table) -> dict[str, str]:
    low, high = np.quantile(draws, (0.025, 0.975))
    return {f"brain - {other}": f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"}


def few_labels_document(
    checkpoints: Mapping[str, str],
    tasks_folder: Path,
    data: Path,
    work: Path,
    *,
    n_draws: int,
    n_permutations: int,
) -> dict[str, Any]:
    """A row for each checkpoint, by its display name; further parameters as for :func:`measure`."""
    rows, overall = [], []
    for name, checkpoint in checkpoints.items():
        found = measure(
            *(checkpoint, tasks_folder, data, work), n_draws=n_draws, n_permutations=n_permutations
        )
        *of_tasks, together = summary(name, found)
        rows += of_tasks
        overall.append({key: value for key, value in together.items() if key != "task"})
    return {
        "title": "Accuracy with few examples, mean over tasks",
        "rows": overall,
        "tables": [{"title": "By task", "rows": rows}],
        "notes": [
            "Accuracy of a logistic regression with "
            f"{', '.join(map(str, EXAMPLES[:-1]))} and {EXAMPLES[-1]} examples of each class "
            f"(or as many as there are), mean over these numbers and {n_draws} draws.",
            f"p: one-sided rank among {n_permutations} permuted brains. Differences: 95 % "
            "interval by bootstrap over test clips (over speakers for digits by held-out "
            "speaker).",
            "Components of all subjects together: nothing is said about single subjects or "
            "about other brains.",
        ],
        "seeds": {"draws, permutations and bootstrap": [SEED]},
    }
