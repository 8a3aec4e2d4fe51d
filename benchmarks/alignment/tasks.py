"""Classification by the original SoundNet before and after alignment; see design.md."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.stats import permutation_test, t
from tqdm import tqdm

from benchmarks.alignment.natural_sounds import SETTINGS_FILE, best_setting, kept_settings
from benchmarks.alignment.networks import STAGES, Setting, Start, fine_tuned, summaries
from benchmarks.alignment.sounds import SEED, read_sounds, read_start
from benchmarks.default_checkpoint.tasks import PLUGIN
from benchmarks.few_labels.representations import permutations
from benchmarks.hear.few_shot import (
    answers_by_split,
    available_examples,
    few_shot_accuracy,
    labels_of,
)
from benchmarks.hear.model_identity import model_for
from benchmarks.hear.task_folder import TaskFolder, find_tasks
from benchmarks.hear.tasks.fsdd import DIGITS_BY_SPEAKER
from benchmarks.kept import kept
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.level import brought_to
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.soundnet import SoundNet
from training.data.stimuli import DEFAULT_SAMPLE_RATE
from training.prepare.workers import in_processes

EXAMPLES, N_DRAWS = (1, 2, 5, 10, 20), 5
EVERY = {DIGITS_BY_SPEAKER: 5}  # clips of a task; 1 by default
ALL, FEW = "all clips", "few examples"
# Permuted within categories, and among all sounds.
KINDS = ("brain", "permuted brain", "freely permuted brain")
POWER_80 = 2.8  # standard errors: normal quantiles of .975 and .8

Frames = dict[str, list[torch.Tensor]]  # by split


@functools.cache
def read_clips(checkpoint: str, path: Path) -> tuple[Frames, dict[str, list[str]]]:
    """Frames of the fixed stage, and labels, of a task's clips."""
    start, task = read_start(checkpoint), _task(path)
    every = next((n for name, n in EVERY.items() if task.name.startswith(name)), 1)
    shortest = stage_geometry(start.soundnet.layers)[STAGES[-1]].shortest_input()
    frames: Frames = {}
    rate = model_for([task], PLUGIN, checkpoint).sample_rate
    resampler = Resampler(rate, DEFAULT_SAMPLE_RATE)
    for split, named in task.labels.items():
        own = []
        for name in list(named)[::every]:
            audio, _ = soundfile.read(task.path / str(rate) / split / name, dtype="float32")
            sound = resampler(torch.from_numpy(audio)[None])
            levelled = brought_to(PRESETS["default"].level, sound, DEFAULT_SAMPLE_RATE)[0].numpy()
            missing = max(0, shortest - len(levelled))
            own.append(start.frames(np.pad(levelled, (0, missing))))
        frames[split] = own
    return frames, {split: own[::every] for split, own in labels_of(task).items()}


def accuracies(
    network: SoundNet, frames: Frames, labels: Mapping[str, Sequence[str]], examples: Sequence[int]
) -> tuple[float, float]:
    """Accuracy with all training clips, and mean over numbers of examples."""

    def embedded(clip: torch.Tensor) -> NDArray[np.float32]:
        return np.concatenate([each[0] for each in summaries(network, clip).values()])

    embeddings = {
        split: np.stack([embedded(clip) for clip in own]) for split, own in frames.items()
    }
    answers = answers_by_split(embeddings, labels)
    few = few_shot_accuracy(embeddings, labels, examples, N_DRAWS, SEED)
    return (
        float(np.mean([each.mean() for each in answers.values()])),
        float(np.mean([each.mean() for each in few.values()])),
    )


def network_of(
    start: Start, checkpoint: str, data: Path, work: Path, setting: Setting, kind: str, seed: int
) -> SoundNet:
    """The start ("before"), or aligned with all sounds, by a kind of brain in :data:`KINDS`."""
    if kind == "before":
        return start.soundnet
    sounds = read_sounds(checkpoint, data, work)
    order = np.arange(len(sounds.categories))
    if kind != "brain":
        generator = np.random.default_rng([SEED, seed])
        groups = sounds.categories if kind == "permuted brain" else None
        order = permutations(len(order), generator, 1, groups)[0]
    return fine_tuned(start, sounds.frames, sounds.responses[order], setting, seed)


def measure(
    checkpoint: str,
    tasks_folder: Path,
    data: Path,
    work: Path,
    *,
    n_seeds: int,
    n_workers: int,
) -> tuple[Setting, dict[str, NDArray[np.float64]]]:
    """The setting, and accuracies by kind of network, ``(n_seeds, n_tasks, 2)``.

    Finished networks are reused.
    """
    start, sounds = read_start(checkpoint), read_sounds(checkpoint, data, work)
    folder = work / f"tasks-{start.hash[:16]}"
    every = np.arange(len(sounds.categories))
    (setting,) = kept_settings(folder / SETTINGS_FILE, lambda: [best_setting(start, sounds, every)])
    paths = tuple(task.path for task in tasks_of(tasks_folder))
    kinds = {"before": 1, **dict.fromkeys(KINDS, n_seeds)}
    calls = [
        (checkpoint, paths, data, work, setting, kind, seed, folder / f"{kind}-{seed}.npy")
        for kind, n in kinds.items()
        for seed in range(n)
    ]
    missing = [call for call in calls if not call[-1].exists()]
    for _ in tqdm(in_processes(_measure, missing, n_workers), total=len(missing), unit="network"):
        pass
    return setting, {
        kind: np.stack([np.load(folder / f"{kind}-{seed}.npy") for seed in range(n)])
        for kind, n in kinds.items()
    }


def tasks_of(folder: Path) -> list[TaskFolder]:
    """The tasks of the design: scenes with one label, no speakers."""
    return [
        task
        for task in find_tasks(folder, ())
        if task.metadata["embedding_type"] == "scene" and "speaker_by_index" not in task.name
    ]


def _task(path: Path) -> TaskFolder:
    (task,) = find_tasks(path.parent, [path.name])
    return task


def _measure(
    checkpoint: str,
    paths: Sequence[Path],
    data: Path,
    work: Path,
    setting: Setting,
    kind: str,
    seed: int,
    out: Path,
) -> None:
    start = read_start(checkpoint)
    network = network_of(start, checkpoint, data, work, setting, kind, seed)

    def of_task(path: Path) -> tuple[float, float]:
        frames, labels = read_clips(checkpoint, path)
        return accuracies(network, frames, labels, available_examples(_task(path), EXAMPLES))

    kept(out, lambda: [of_task(path) for path in paths])


def rows(found: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Tested rows, means over tasks, and described rows of each task."""
    table = []
    for place, title in enumerate((ALL, FEW)):
        for number, name in [(None, "mean of tasks"), *enumerate(names)]:
            before, brain, permuted, free = (
                (each.mean(axis=1) if number is None else each[:, number])[:, place]
                for each in (found[kind] for kind in ("before", *KINDS))
            )
            gain = brain - before[0]
            half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            error = np.sqrt((brain.var(ddof=1) + permuted.var(ddof=1)) / len(brain))
            row = {
                "training clips": title,
                "task": name,
                "before": float(before[0]),
                "brain": f"{brain.mean():.3f} ± {brain.std(ddof=1):.3f}",
                "permuted brain": f"{permuted.mean():.3f} ± {permuted.std(ddof=1):.3f}",
                "freely permuted": f"{free.mean():.3f} ± {free.std(ddof=1):.3f}",
                "brain - permuted": f"{brain.mean() - permuted.mean():+.3f}",
                "p": "" if number is not None else _p(brain, permuted),
                "detected with power .8": float(POWER_80 * error),
                "brain - before": f"{gain.mean():+.3f} ({gain.mean() - half:+.3f} to "
                f"{gain.mean() + half:+.3f})",
            }
            table.append(row)
    return table


def _p(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Exact two-sided p value of a difference of means, over all divisions into two groups."""

    def difference(a: Any, b: Any, axis: int) -> Any:
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    found = permutation_test(
        (one, other), difference, vectorized=True, n_resamples=200_000, batch=10_000
    )
    return float(found.pvalue)


def tasks_document(
    checkpoint: str, tasks_folder: Path, data: Path, work: Path, *, n_seeds: int, n_workers: int
) -> dict[str, Any]:
    """A row for each task and amount of training clips, and one for their means."""
    setting, found = measure(
        checkpoint, tasks_folder, data, work, n_seeds=n_seeds, n_workers=n_workers
    )
    names = [task.name for task in tasks_of(tasks_folder)]
    accuracies = {
        f"{name}, {clips}": {
            "before": float(found["before"][0, number, place]),
            **{kind: found[kind][:, number, place].tolist() for kind in KINDS},
        }
        for place, clips in enumerate((ALL, FEW))
        for number, name in enumerate(names)
    }
    return {
        "title": f"Classification by {checkpoint} before and after alignment",
        "rows": rows(found, names),
        "notes": [
            "Accuracy of a logistic regression on mean and standard deviation of conv4 to "
            f"conv7; mean ± standard deviation over {n_seeds} networks, each with its own seed "
            "and permutation (within categories). p: exact permutation test over networks. "
            "Brain - before: Student's 95 % interval over seeds. Freely permuted: among all "
            "sounds; added after the other results were known, and described, not tested.",
            "Digits: every fifth clip. Few examples: mean over 1, 2, 5, 10 and 20 of each "
            "class, or as many as there are.",
        ],
        "seeds": {"fits": list(range(n_seeds)), "draws of examples": [0]},
        "settings": {"learning rate x epochs": f"{setting.learning_rate:g} x {setting.n_epochs}"},
        "details": {"accuracies": accuracies},
    }
