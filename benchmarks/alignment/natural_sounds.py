"""Out-of-fold prediction of responses by networks fine-tuned on the brain, or on permuted brains.

See design.md for the questions and choices.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.alignment.kept import kept
from benchmarks.alignment.networks import (
    GRID,
    STAGES,
    Setting,
    Start,
    Table,
    fine_tuned,
    summaries,
    tried_settings,
)
from benchmarks.correspondence.ridge import compact_units, fit_ridge
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import unit_scales
from benchmarks.default_checkpoint.sounds import natural_sounds
from benchmarks.few_labels.representations import permutations
from benchmarks.hear.tasks.natsound165_categories import FOLDER, sound_categories
from hear_brainsoundnet.files import writing
from training.prepare.workers import in_processes

N_FOLDS, N_INNER = 5, 4
N_PERMUTATIONS, N_SEEDS = 199, 10
N_BOOTSTRAPS = 10_000
SEED = 0
TOGETHER = "conv4 to conv7"
FEATURES = (*STAGES, TOGETHER)
SETTINGS_FILE = "settings.npy"


@dataclass(frozen=True)
class Sounds:
    """Frames of the fixed stage, responses and categories of the 165 sounds, in one order."""

    frames: torch.Tensor
    responses: Table
    categories: tuple[str, ...]
    components: tuple[str, ...]

    def folds(self, n: int, rows: NDArray[np.intp] | None = None) -> list[Split]:
        """`n` folds of all sounds, or of some rows, balanced over categories."""
        import warnings

        from sklearn.model_selection import StratifiedKFold

        rows = np.arange(len(self.categories)) if rows is None else rows
        labels = np.array(self.categories)[rows]
        with warnings.catch_warnings():  # the smallest category has fewer sounds than folds
            warnings.filterwarnings("ignore", message="The least populated class")
            parts = StratifiedKFold(n, shuffle=True, random_state=SEED).split(rows, labels)
            return [Split(rows[train], rows[test]) for train, test in parts]


@functools.cache
def read_start(checkpoint: str) -> Start:
    """The start, loaded once in each process."""
    torch.set_num_threads(1)  # several processes work at once
    return Start(checkpoint)


@functools.cache
def read_sounds(checkpoint: str, data: Path, work: Path) -> Sounds:
    """The 165 sounds as a start receives them; frames are cached in `work`."""
    start = read_start(checkpoint)
    place = work / f"frames-{start.hash[:16]}.npz"
    if not place.exists():
        sounds = natural_sounds(data, work)
        frames = torch.cat([start.frames(audio) for audio in sounds.audio]).numpy()
        categories = dict(sound_categories(data / FOLDER))
        names = [categories[Path(run.stimulus).stem] for run in sounds.prepared.runs]
        with writing(place) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                frames=frames,
                responses=sounds.responses,
                categories=np.array(names),
                components=np.array(sounds.components),
            )
    with np.load(place) as known:
        return Sounds(
            torch.from_numpy(known["frames"]),
            known["responses"],
            tuple(known["categories"].tolist()),
            tuple(known["components"].tolist()),
        )


def predictions(
    features: dict[str, NDArray[np.float32]], responses: Table, split: Split
) -> dict[str, Table]:
    """By features, predicted minus mean training responses of the test sounds."""
    tables = features | {TOGETHER: np.concatenate([features[each] for each in STAGES], axis=1)}
    found = {}
    for name, table in tables.items():
        units = np.asarray(table, np.float64)
        units = compact_units(units / unit_scales(units[split.train]))
        found[name] = fit_ridge(units, responses, split).predicted
    return found


def errors_of(
    predicted: dict[str, Table], responses: Table, split: Split
) -> dict[str, NDArray[np.float64]]:
    """By features, squared errors of the test sounds, ``(2, n_test, n_components)``.

    First of the predictions, then of the mean of the training sounds.
    """
    measured = responses[split.test] - responses[split.train].mean(axis=0)
    return {
        name: np.square(np.stack([measured - own, measured])) for name, own in predicted.items()
    }


def r2(errors: NDArray[np.float64], rows: NDArray[np.intp] | None = None) -> float:
    """R² of squared errors ``(2, n_sounds, n_components)``, mean over components."""
    own, mean = (errors if rows is None else errors[:, rows]).sum(axis=1)
    return float(np.mean(1 - own / mean))


def best_setting(
    start: Start, sounds: Sounds, rows: NDArray[np.intp], grid: Sequence[Setting] = GRID
) -> Setting:
    """The setting of highest cross-validated R² within some sounds, by the brain's responses."""
    errors: dict[Setting, list[NDArray[np.float64]]] = {each: [] for each in grid}
    for split in sounds.folds(N_INNER, rows):
        tried = tried_settings(
            start, sounds.frames[split.train], sounds.responses[split.train], grid, SEED
        )
        for setting, network in tried:
            predicted = predictions(summaries(network, sounds.frames), sounds.responses, split)
            errors[setting].append(errors_of(predicted, sounds.responses, split)[TOGETHER])
    return max(grid, key=lambda each: r2(np.concatenate(errors[each], axis=1)))


def out_of_fold(
    start: Start,
    sounds: Sounds,
    settings: Sequence[Setting | None],
    seed: int,
    *,
    permutation: int | None = None,
) -> NDArray[np.float64]:
    """Squared errors of all sounds, each by a fit without it, ``(n_features, 2, n_sounds, 6)``.

    Parameters
    ----------
    settings : sequence
        For each fold; None for the start itself.
    seed : int
        Of fine-tuning.
    permutation : int, optional
        Fine-tune on responses permuted within categories, by this seed.
    """
    n_sounds, n_components = sounds.responses.shape
    found = np.zeros((len(FEATURES), 2, n_sounds, n_components))
    for fold, (split, setting) in enumerate(zip(sounds.folds(N_FOLDS), settings, strict=True)):
        network = start.soundnet
        if setting is not None:
            order = split.train
            if permutation is not None:
                groups = [sounds.categories[row] for row in split.train]
                generator = np.random.default_rng([SEED, permutation, fold])
                order = split.train[permutations(len(groups), generator, 1, groups)[0]]
            network = fine_tuned(
                start, sounds.frames[split.train], sounds.responses[order], setting, seed
            )
        predicted = predictions(summaries(network, sounds.frames), sounds.responses, split)
        errors = errors_of(predicted, sounds.responses, split)
        for number, name in enumerate(FEATURES):
            found[number][:, split.test] = errors[name]
    return found


def _brain(
    checkpoint: str, data: Path, work: Path, number: int, settings: Sequence[Setting]
) -> None:
    """One of the brains to its file: -1 before, 0 to 9 the brain, 1000 and up permuted."""
    start, sounds = read_start(checkpoint), read_sounds(checkpoint, data, work)
    seed, permutation = (0, number) if number >= 1000 else (max(number, 0), None)
    chosen = [None] * N_FOLDS if number < 0 else settings
    kept(
        _place(work, start, number),
        lambda: out_of_fold(start, sounds, chosen, seed, permutation=permutation),
    )


def kept_settings(path: Path, choose: Callable[[], Sequence[Setting]]) -> list[Setting]:
    """Settings in a file, chosen and written first if there is none."""
    numbers = kept(path, lambda: [[each.learning_rate, each.n_epochs] for each in choose()])
    return [Setting(float(rate), int(n_epochs)) for rate, n_epochs in numbers]


def _fold_setting(checkpoint: str, data: Path, work: Path, fold: int) -> Setting:
    start, sounds = read_start(checkpoint), read_sounds(checkpoint, data, work)
    return best_setting(start, sounds, sounds.folds(N_FOLDS)[fold].train)


def _place(work: Path, start: Start, number: int) -> Path:
    return work / start.hash[:16] / f"brain{number}.npy"


@dataclass(frozen=True)
class Outcome:
    """Squared errors ``(n_features, 2, n_sounds, 6)`` of one start.

    Attributes
    ----------
    settings : list of Setting
        Of the folds.
    before : ndarray
    brain : ndarray
        ``(n_seeds, ...)``.
    permuted : ndarray
        ``(n_permutations, ...)``.
    """

    settings: list[Setting]
    before: NDArray[np.float64]
    brain: NDArray[np.float64]
    permuted: NDArray[np.float64]

    def scores(self, features: str) -> tuple[float, list[float], NDArray[np.float64]]:
        """R² before, of the brain by seed, and of each permuted brain."""
        place = FEATURES.index(features)
        return (
            r2(self.before[place]),
            [r2(each) for each in self.brain[:, place]],
            np.array([r2(each) for each in self.permuted[:, place]]),
        )


def measure(
    checkpoint: str,
    data: Path,
    work: Path,
    *,
    n_permutations: int = N_PERMUTATIONS,
    n_seeds: int = N_SEEDS,
    n_workers: int = 2,
) -> Outcome:
    """All fits of one start; finished ones are reused."""
    start = read_start(checkpoint)
    read_sounds(checkpoint, data, work)
    calls = [(checkpoint, data, work, fold) for fold in range(N_FOLDS)]

    def choose() -> list[Setting]:
        found = dict(in_processes(_fold_setting, calls, n_workers))
        return [found[fold] for fold in range(N_FOLDS)]

    settings = kept_settings(_place(work, start, -1).with_name(SETTINGS_FILE), choose)
    brains, permuted = list(range(n_seeds)), [1000 + i for i in range(n_permutations)]
    missing = [n for n in (-1, *brains, *permuted) if not _place(work, start, n).exists()]
    calls_of_brains = [(checkpoint, data, work, number, settings) for number in missing]
    done = in_processes(_brain, calls_of_brains, n_workers)
    for _ in tqdm(done, total=len(missing), desc=checkpoint, unit="brain"):
        pass

    def read(numbers: Sequence[int]) -> NDArray[np.float64]:
        return np.stack([np.load(_place(work, start, number)) for number in numbers])

    return Outcome(settings, read([-1])[0], read(brains), read(permuted))


def row(name: str, outcome: Outcome) -> dict[str, Any]:
    """The tested score of one start: before, brain, permuted, and their differences."""
    before, scores, permuted = outcome.scores(TOGETHER)
    place = FEATURES.index(TOGETHER)
    errors_before, errors = outcome.before[place], outcome.brain[0, place]
    generator = np.random.default_rng(SEED)
    n_sounds = errors.shape[1]
    gains = np.empty(N_BOOTSTRAPS)
    for i in range(N_BOOTSTRAPS):
        rows = generator.integers(n_sounds, size=n_sounds)
        gains[i] = r2(errors, rows) - r2(errors_before, rows)
    low, high = np.quantile(gains, (0.025, 0.975))
    return {
        "start": name,
        "before": before,
        "brain": scores[0],
        "± over seeds": float(np.std(scores, ddof=1)),
        "permuted brains": f"{permuted.mean():.3f} ± {permuted.std(ddof=1):.3f}",
        "brain - permuted": f"{scores[0] - permuted.mean():+.3f}",
        "p": float((1 + np.sum(permuted >= scores[0])) / (1 + len(permuted))),
        "gain that p .05 takes": f"{np.quantile(permuted, 0.95) - permuted.mean():+.3f}",
        "brain - before": f"{scores[0] - before:+.3f} ({low:+.3f} to {high:+.3f})",
        "permuted - before": f"{permuted.mean() - before:+.3f}",
    }


def stage_rows(name: str, outcome: Outcome) -> list[dict[str, Any]]:
    """R² by features: described, not tested."""
    rows = []
    for features in FEATURES:
        before, scores, permuted = outcome.scores(features)
        below = np.mean(permuted < scores[0])
        rows.append(
            {
                "start": name,
                "features": features,
                "before": before,
                "brain": float(np.mean(scores)),
                "permuted brains": float(np.mean(permuted)),
                "permuted below brain": f"{below:.0%}",
            }
        )
    return rows
