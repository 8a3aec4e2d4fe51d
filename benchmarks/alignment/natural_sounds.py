"""Out-of-fold prediction of responses by networks fine-tuned on the brain, or on permuted brains.

See design.md for the questions and choices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.alignment.networks import (
    GRID,
    Setting,
    Start,
    fine_tuned,
    summaries,
    tried_settings,
)
from benchmarks.alignment.scores import (
    FEATURES,
    TOGETHER,
    Outcome,
    errors_of,
    predictions,
    r2,
    row,
    stage_rows,
)
from benchmarks.alignment.sounds import SEED, Sounds, read_sounds, read_start
from benchmarks.few_labels.representations import permutations
from benchmarks.kept import kept
from training.prepare.workers import in_processes

N_FOLDS, N_INNER = 5, 4
SETTINGS_FILE = "settings.npy"


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


def measure(
    checkpoint: str,
    data: Path,
    work: Path,
    *,
    n_permutations: int,
    n_seeds: int,
    n_workers: int,
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


def natural_sounds_document(
    checkpoints: Mapping[str, str],
    data: Path,
    work: Path,
    *,
    n_permutations: int,
    n_seeds: int,
    n_workers: int,
) -> dict[str, Any]:
    """A row for each start, by its display name; further parameters as for :func:`measure`."""
    rows, of_stages, settings, scores = [], [], {}, {}
    for name, checkpoint in checkpoints.items():
        outcome = measure(
            *(checkpoint, data, work),
            n_permutations=n_permutations,
            n_seeds=n_seeds,
            n_workers=n_workers,
        )
        rows.append(row(name, outcome))
        of_stages += stage_rows(name, outcome)
        settings[name] = [f"{each.learning_rate:g} x {each.n_epochs}" for each in outcome.settings]
        before, brain, permuted = outcome.scores(TOGETHER)
        scores[name] = {"before": before, "brain": brain, "permuted": permuted.tolist()}
    return {
        "title": "Responses to held-out sounds",
        "rows": rows,
        "tables": [{"title": "By stage: described, not tested", "rows": of_stages}],
        "notes": [
            "R² of six response components to 165 sounds, each predicted out of fold (five), "
            "mean over components; ridge on mean and standard deviation of conv4 to conv7.",
            f"p: one-sided rank of the brain (seed 0) among {n_permutations} brains with "
            "responses permuted within categories, as many epochs. Brain - before: 95 % "
            "interval by bootstrap over sounds.",
            "Components of all subjects together: nothing is said about other brains.",
        ],
        "seeds": {"fits of the brain": list(range(n_seeds)), "folds, bootstrap": [SEED]},
        "settings": {"learning rate x epochs, by fold": settings},
        "details": {"scores": scores},
    }
