"""Time and peak memory of a fit and an evaluation of tens of thousands of voxels.

Responses are those of a brain of low rank: the frozen network's features of sounds of noise drive a
few components, each voxel weights these, and noise is added. Beside the package's fit stands
himalaya's ridge regression with a strength for each target, on the same features, delays, folds and
training runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.noise_dataset import SUBJECT, TR, write_noise
from benchmarks.speed.timing import machine, measure_module
from training.config import read_recipe, write_recipe
from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble
from training.fitting.recipe import FitRecipe
from training.fitting.ridge import EVERY, STRENGTHS, delayed, folds_by_episode

RUN_TRS = 240
SOUNDS = {"train": 2, "validation": 1, "test": 1}
STRETCH_S = 10  # from the onset of one run in a sound to that of the next
TRUE_RANK = 30
SHARE = 0.1  # of the runs in the validation split, and in the test split
HIMALAYA_TARGETS = 1_000  # at a time
RECIPE = "fit.yaml"
COMMANDS = ("fit", "evaluate", "himalaya")


@dataclass(frozen=True)
class Voxels:
    """A simulated study: length of one subject's data, and what its read-out has."""

    hours: float
    n_targets: int
    rank: int
    stage: str
    epochs: int
    n_permutations: int

    @property
    def n_runs(self) -> int:
        return max(6, round(self.hours * 3600 / TR / RUN_TRS))


def measure_voxels(
    study: Voxels, folder: Path, commands: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """A row of the table and its numbers, so far, after each command.

    The folder gets some gigabytes of data and results.

    Raises
    ------
    ChildProcessError
        If a command fails.
    """
    load = machine().load
    write_study(study, folder)
    fit, evaluation = str(folder / "fit"), str(folder / "evaluation")
    permutations = f"n_permutations={study.n_permutations}"
    arguments = {
        "fit": ["training", "fit", str(folder / RECIPE), "--out", fit],
        "evaluate": ["training", "evaluate", fit, "--out", evaluation, permutations],
        "himalaya": [__name__, str(folder / RECIPE)],
    }
    n_trs = study.n_runs * RUN_TRS
    row: dict[str, Any] = {
        "TRs": n_trs,
        "targets": study.n_targets,
        "responses (GB)": f"{4e-9 * n_trs * study.n_targets:.2f}",
        "stage": study.stage,
    }
    costs: dict[str, Any] = {}
    for name in commands:
        cost = measure_module(arguments[name], f"{name} failed")
        costs[name] = asdict(cost)
        row[f"{name}: CPU minutes"] = f"{cost.cpu_seconds / 60:.1f}"
        row[f"{name}: peak (GB)"] = f"{cost.peak / 1e9:.2f}"
        yield {"row": row, "study": asdict(study), "load": load, "costs": costs}


def merged(known: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Measurements of an earlier document and a new one, which replaces that of its size."""

    def size(measured: Mapping[str, Any]) -> tuple[float, int]:
        return measured["study"]["hours"], measured["study"]["n_targets"]

    earlier = known["details"]["measured"] if known else []
    return [*(each for each in earlier if size(each) != size(new)), new]


def voxels_document(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row for each size, the largest last."""
    measured = sorted(measured, key=lambda each: each["row"]["TRs"] * each["row"]["targets"])
    study = measured[-1]["study"]
    columns = dict.fromkeys(key for each in measured for key in each["row"])
    return {
        "title": "Tens of thousands of voxels",
        "rows": [{key: each["row"].get(key, "") for key in columns} for each in measured],
        "notes": [
            f"Fit: frozen network, a read-out of rank {study['rank']} and 5 delays from the ridge "
            "solution with a strength for each target, chosen by cross-validation over "
            f"{SOUNDS['train']} folds, and {study['epochs']} epochs. Evaluate: "
            f"{study['n_permutations']} permutations. Every command is a process of its own; its "
            "peak includes libraries.",
            "himalaya: its RidgeCV on the same delayed features, responses and folds, two "
            "strengths in a decade, in float32, the solution alone.",
            "CPU time is of all cores together: load averages were "
            + ", ".join(f"{each['load']:.1f}" for each in measured)
            + ", so that the time by the clock says little.",
            machine().note(),
        ],
        "details": {"measured": measured},
    }


def write_study(study: Voxels, folder: Path) -> None:
    """The prepared dataset, whose responses follow the features, and the recipe of its fit.

    Runs share a few sounds, which they enter at different times, so that the time of the network,
    which does not depend on the number of targets, does not mask theirs.
    """
    n_side = max(2, round(SHARE * study.n_runs))
    n_runs = {"train": study.n_runs - 2 * n_side, "validation": n_side, "test": n_side}
    runs = [
        Run(
            *(SUBJECT, f"{split}-{number:03d}", sound, "", sound, ""),
            *(float(STRETCH_S * (number // SOUNDS[split])), TR, RUN_TRS),
        )
        for split in SOUNDS
        for number in range(n_runs[split])
        for sound in [f"{split}-sound-{number % SOUNDS[split]}"]
    ]
    sounds: dict[str, float] = {}
    for run in runs:
        sounds[run.stimulus] = max(sounds.get(run.stimulus, 0), run.start + RUN_TRS * TR + 5)
    features = folder / "features"
    write_noise(features, sounds, runs, study.rank, seed=0)
    parts = assemble(_recipe(study, features))
    generator = np.random.default_rng(1)
    tables = dict(zip(runs, parts.predictor.features_of_runs(runs), strict=True))
    mean = np.mean([table.mean(axis=0) for table in tables.values()], axis=0)
    spread = np.mean([table.std(axis=0) for table in tables.values()], axis=0) + 1e-6
    mixing = generator.standard_normal((len(mean), TRUE_RANK)) / np.sqrt(len(mean))
    loadings = generator.standard_normal((TRUE_RANK, study.n_targets), np.float32) / TRUE_RANK

    def signal(run: Run) -> NDArray[np.float32]:
        components = ((tables[run] - mean) / spread) @ mixing
        return components.astype(np.float32) @ loadings

    write_noise(folder / "data", sounds, runs, study.n_targets, seed=0, signal=signal)
    (folder / RECIPE).write_text(write_recipe(_recipe(study, folder / "data")))


def _recipe(study: Voxels, data: Path) -> FitRecipe:
    return FitRecipe.model_validate(
        {
            "data": data,
            "start": "untrained",
            "train_from": "none",
            "read_out": {"stage": study.stage, "rank": study.rank},
            "split": {"test": {"runs": ["test-*"]}, "validation": {"runs": ["validation-*"]}},
            "optimiser": {"max_epochs": study.epochs},
        }
    )


def rows_of(parts: Parts) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Delayed, standardised features, responses and episodes of all training TRs."""
    train = parts.splits.train
    n_delays = parts.recipe.read_out.n_delays
    tables = parts.predictor.features_of_runs(train)
    x = np.concatenate([delayed(table, n_delays) for table in tables])
    x -= x.mean(axis=0)
    deviation = x.std(axis=0)
    x /= np.maximum(deviation, np.sqrt(np.mean(deviation**2)))
    y = np.concatenate([parts.loader.bold(run) for run in train])
    y -= y.mean(axis=0)
    return x, y, [run.episode for run in train for _ in range(run.n_trs)]


def himalaya_ridge(recipe: FitRecipe) -> None:
    """Ridge regression with a strength for each target, chosen by cross-validation."""
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV

    set_backend("numpy")
    x, y, episodes = rows_of(assemble(recipe))
    model = RidgeCV(
        alphas=(STRENGTHS[::EVERY] * len(x)).astype(np.float32),
        fit_intercept=False,
        cv=folds_by_episode(episodes),
        solver_params={"n_targets_batch": HIMALAYA_TARGETS, "n_alphas_batch": 1},
    )
    model.fit(x, y)


if __name__ == "__main__":
    himalaya_ridge(read_recipe(sys.argv[1], FitRecipe))
