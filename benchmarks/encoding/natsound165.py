"""Six response components to 165 natural sounds (Norman-Haignere et al. 2015), over ten splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.encoding.fits import EVERYBODY, Commands, comparison_rows
from benchmarks.hear.tasks.natsound165_categories import FOLDER
from training.data.prepared import Prepared
from training.evaluation.folders import read_table
from training.prepare.preparation import PrepareRecipe, prepare

N_SPLITS = 10
N_TEST, N_VALIDATION = 82, 12
RECIPE = {
    "start": "untrained",
    "read_out": {"stage": "conv7", "initial": "zero"},
    "windows": {"batch_size": 16},
    "split": {"test": {"count": N_TEST}, "validation": {"count": N_VALIDATION}},
}
# The frozen network has the same read-out: what fine-tuning gains is the network's.
MODELS: Mapping[str, Mapping[str, Any]] = {
    "frozen": {
        "train_from": "none",
        "optimiser.learning_rate": 1e-3,
        "optimiser.max_epochs": 200,
        "optimiser.patience": 20,
    },
    "tuned": {
        "train_from": "conv4",
        "optimiser.learning_rate": 3e-4,
        "optimiser.max_epochs": 15,
        "optimiser.patience": 5,
    },
}


def run_natsound165(
    data: Path, out: Path, *, n_splits: int = N_SPLITS, max_epochs: int | None = None
) -> dict[str, Any]:
    """Ten splits of the 165 sounds, frozen and fine-tuned; output in `out` is reused.

    `max_epochs` is for every fit, instead of those of the models.
    """
    prepared = prepare_sounds(data / FOLDER, out / "prepared")
    recipe = out / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"data": str(prepared.folder), **RECIPE}))
    commands = Commands({"DATA": data, "WORK": out})
    runs = []
    for name, changes in MODELS.items():
        for split in range(n_splits):
            run = out / "runs" / f"{name}-{split}"
            settings = {**changes, "split.seed": split, "seed": split}
            if max_epochs is not None:
                settings["optimiser.max_epochs"] = max_epochs
            words = [f"{key}={value}" for key, value in settings.items()]
            commands.run(
                *("fit", recipe, *words, "--out", run, "--resume"), makes=run / "scores.csv"
            )
            runs.append(run)
    evaluation, comparison, report = out / "eval", out / "compare", out / "report"
    commands.run(
        *("evaluate", *runs, "runs=own", "--out", evaluation),
        makes=evaluation / "evaluation.json",
    )
    commands.run(
        *("compare", f"{evaluation}:tuned-*", f"{evaluation}:frozen-*", "--out", comparison),
        makes=comparison / "comparison.json",
    )
    commands.run(*("report", evaluation, comparison, "--out", report), makes=report / "index.html")
    return {
        "title": "165 natural sounds: six response components, ten splits",
        "seeds": {"splits": list(range(n_splits)), "fits": list(range(n_splits))},
        "rows": _split_rows(evaluation),
        "tables": [
            {"title": "Tuned minus frozen, over splits", "rows": comparison_rows([comparison])}
        ],
        "notes": [
            "Six response components to 165 natural sounds (Norman-Haignere et al. 2015), "
            "predicted from an untrained SoundNet by a read-out of conv7 that is trained from "
            "zero; tuned: the network is trained from conv4 upwards as well.",
            "r of each split's 82 test sounds; p: sounds shuffled 1,000 times in each split, "
            "the largest and the median over splits are given. Splits share sounds: the p of "
            "the comparison is smaller than it would be with independent splits.",
        ],
        "details": {"commands": commands.shortened()},
    }


def prepare_sounds(folder: Path, out: Path, sounds: Path | None = None) -> Prepared:
    """Sounds and responses, as prepared by ``python -m training prepare`` into `out`.

    `sounds` is a folder with modified versions of the sounds in `folder`.
    """
    table = folder / "components.mat"
    source = {"kind": "sound_responses", "sounds": sounds or folder / "sounds", "table": table}
    recipe = {"name": "natsound165", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def _split_rows(evaluation: Path) -> list[dict[str, Any]]:
    table = read_table(evaluation, "targets")
    rows = []
    for model in MODELS:
        of_model = table[table.model.str.startswith(model + "-") & (table.subject != EVERYBODY)]
        for name, of_target in of_model.groupby("target_name", sort=False):
            rows.append(
                {
                    "model": model,
                    "component": name,
                    "r": of_target.r.mean(),
                    "± over splits": of_target.r.std(),
                    "R²": of_target.r2.median(),
                    "p, median": of_target.p.median(),
                    "p, largest": of_target.p.max(),
                }
            )
    return rows
