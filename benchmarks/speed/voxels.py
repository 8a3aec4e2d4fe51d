"""Time and peak memory of a fit and an evaluation of tens of thousands of voxels.

Responses are those of a brain of low rank: the frozen network's features of sounds of noise drive a
few components, each voxel weights these, and noise is added. Beside the package's fit stands
himalaya's ridge regression with a strength for each target, on the same features, delays, folds,
strengths and training runs.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.noise_dataset import SUBJECT, TR, write_noise
from benchmarks.speed.processes import Cost, measure_module
from benchmarks.speed.turns import machine
from training.config import read_recipe, write_recipe
from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble
from training.fitting.recipe import FitRecipe
from training.fitting.ridge import STRENGTHS, delayed, folds_by_episode

RUN_TRS = 480
TRUE_RANK = 30
SHARE = 0.1  # of the runs on the validation side, and on the test side
HIMALAYA_TARGETS = 1_000  # at a time
RECIPE = "fit.yaml"


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


def voxels_document(study: Voxels, folder: Path, *, beside_himalaya: bool) -> dict[str, Any]:
    """One row for each command, with a folder of some gigabytes for data and results."""
    at_work = machine()
    write_study(study, folder)
    fit, evaluation = str(folder / "fit"), str(folder / "evaluation")
    permutations = f"n_permutations={study.n_permutations}"
    commands = {
        "fit": ["training", "fit", str(folder / RECIPE), "--out", fit],
        "evaluate": ["training", "evaluate", fit, "--out", evaluation, permutations],
    }
    if beside_himalaya:
        commands["himalaya's RidgeCV"] = [__name__, str(folder / RECIPE)]
    costs: dict[str, Cost] = {}
    for name, arguments in commands.items():
        costs[name] = measure_module(arguments, f"{name} failed")
        print(name, costs[name], file=sys.stderr)
    n_trs = study.n_runs * RUN_TRS
    return {
        "title": "Tens of thousands of voxels",
        "command": f"python -m benchmarks speed voxels --hours {study.hours:g} "
        f"--targets {study.n_targets} --rank {study.rank} --stage {study.stage} "
        f"--epochs {study.epochs} --permutations {study.n_permutations}"
        + ("" if beside_himalaya else " --no-himalaya"),
        "rows": [
            {
                "command": name,
                "TRs": n_trs,
                "targets": study.n_targets,
                "minutes": f"{cost.seconds / 60:.1f}",
                "CPU minutes": f"{cost.cpu_seconds / 60:.1f}",
                "peak memory (GB)": f"{cost.peak / 1e9:.2f}",
            }
            for name, cost in costs.items()
        ],
        "notes": [
            f"Responses of all runs are {4e-9 * n_trs * study.n_targets:.2f} GB. Fit: frozen "
            f"network, read-out of rank {study.rank} from {study.stage} with 5 delays, from the "
            f"ridge solution with a strength for each target, and {study.epochs} epochs; its time "
            f"includes the network. Evaluate: {study.n_permutations} permutations.",
            "himalaya: the same features, strengths and folds, float32, the solution alone; its "
            "time includes the network, too.",
            at_work.note(),
        ],
        "details": {
            "machine": asdict(at_work),
            "study": asdict(study),
            "costs": {name: asdict(cost) for name, cost in costs.items()},
        },
    }


def write_study(study: Voxels, folder: Path) -> None:
    """The prepared dataset, whose responses follow the features, and the recipe of its fit."""
    n_side = max(2, round(SHARE * study.n_runs))
    sides = ["test"] * n_side + ["validation"] * n_side
    sides += ["train"] * (study.n_runs - len(sides))
    runs = [
        Run(SUBJECT, name, name, "", name, "", 0.0, TR, RUN_TRS)
        for name in (f"{side}-{number:03d}" for number, side in enumerate(sides))
    ]
    sounds = {run.stimulus: RUN_TRS * TR + 5 for run in runs}
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
    train = parts.split.train
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
        alphas=(STRENGTHS * len(x)).astype(np.float32),
        fit_intercept=False,
        cv=folds_by_episode(episodes),
        solver_params={"n_targets_batch": HIMALAYA_TARGETS, "n_alphas_batch": 1},
    )
    model.fit(x, y)


if __name__ == "__main__":
    himalaya_ridge(read_recipe(sys.argv[1], FitRecipe))
