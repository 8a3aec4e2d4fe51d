"""Simulated brains with known ground truth: scores of fits relative to the best possible.

Two simulated subjects have the same stimuli, made of distinct synthetic recordings. Some parcels
follow units of the fit's initial network, some follow units of another SoundNet, some follow the
level of the sound, most do not respond; half of the responsive ones differ between the subjects.
The last third of the episodes, made of other recordings, is held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.encoding.fits import Fitted, fitted
from training.config import read_recipe
from training.data.prepared import Prepared
from training.fitting.recipe import FitRecipe
from training.fitting.untrained import SAMPLE_RATE, calibration_sounds
from training.prepare.preparation import PrepareRecipe, prepare
from training.scores import pearson_r
from training.simulation import SimulationSettings, Truth, read_truth, simulate

SUBJECTS = ("sub-01", "sub-02")
SOUNDS_AT_A_TIME = 40
TUNED_FROM = "conv4"
HIDDEN = "untrained"  # the checkpoint whose units parcels of the kind "soundnet" follow


@dataclass(frozen=True)
class Experiment:
    """Size of a simulation, and initial checkpoint of fits.

    Attributes
    ----------
    n_recordings : int
        Number of recordings of six seconds, all different.
    n_runs, run_minutes : int, float
        Runs of each subject and their length.
    seed : int
        Seed of recordings, brains and fits.
    max_epochs : int
        Epochs of fine-tuning.
    explainable_variance : (float, float)
        Range of the fraction of a responsive parcel's variance explained by the stimulus.
    n_units : int
        Number of units of each network shared by its parcels; 0 for all.
    kinds : tuple of (str, int)
        Number of parcels by feature kind; all others of the 30 do not respond.
    start : str
        The initial checkpoint of fits.
    """

    n_recordings: int = 1200
    n_runs: int = 18
    run_minutes: float = 6.0
    seed: int = 0
    max_epochs: int = 40
    explainable_variance: tuple[float, float] = (0.6, 0.9)
    n_units: int = 4
    kinds: tuple[tuple[str, int], ...] = (("soundnet", 8), ("other_soundnet", 8), ("envelope", 2))
    start: str = HIDDEN


FROM_HIDDEN = (
    "Units of a random SoundNet are draws from the very distribution that ridge on many "
    "random units assumes (its Gaussian-process limit), so that a frozen network is close to the "
    "best that can be learned there, and fine-tuning can gain little. Fitted together with parcels "
    "whose truth lies in the frozen units it gains nothing: what is won for the ones is lost for "
    "the others."
)
FROM_ANOTHER = (
    f"No parcel follows the network that fits start from: those of the kind soundnet follow "
    f"the checkpoint {HIDDEN!r}, those of the kind other_soundnet random weights of another seed. "
    "What is to be learned here is a network of random weights, to which other random weights lie "
    "closer than trained ones."
)


def run_simulated(out: Path, experiment: Experiment = Experiment()) -> dict[str, Any]:
    """Simulate, prepare, fit and score; existing results are reused."""
    prepared, truth = simulated_dataset(out, experiment)
    frozen = {
        subject: HeldOut(fit_frozen(prepared, subject, out, experiment)) for subject in SUBJECTS
    }
    own = frozen[SUBJECTS[0]].scores(SUBJECTS[0])
    others = ids_of(truth, SUBJECTS[0], "other_soundnet")
    learned = {
        train_from: fit_learned(prepared, SUBJECTS[0], out, experiment, others, train_from)
        for train_from in ("none", TUNED_FROM)
    }
    tuning = {
        "frozen, ridge": own,
        "frozen, learned": HeldOut(learned["none"]).scores(SUBJECTS[0]),
        f"fine-tuned from {TUNED_FROM}": HeldOut(learned[TUNED_FROM]).scores(SUBJECTS[0]),
    }
    return {
        "title": f"Simulated brains from {experiment.start}",
        "rows": rows_by_kind(truth, own),
        "tables": [
            {
                "title": "Parcels that follow another SoundNet, fitted alone",
                "rows": rows_by_fit(truth, others, tuning),
            },
            {
                "title": "Whose model predicts whose brain (frozen read-out)",
                "rows": rows_by_model(truth, frozen),
            },
        ],
        "settings": asdict(experiment),
        "notes": [
            "Pearson r on held-out episodes, mean over runs and parcels of a kind; best: the r of "
            "the noise-free response with the measured one.",
            "Frozen, ridge: the read-out solved for. Frozen, learned, and fine-tuned: by gradient "
            "descent from a read-out of zero with the same settings, stopped by a validation "
            "episode; the first of the two is the baseline of the published work.",
            FROM_HIDDEN if experiment.start == HIDDEN else FROM_ANOTHER,
        ],
        "details": {
            "epochs": {
                train_from: [asdict(epoch) for epoch in run.history]
                for train_from, run in learned.items()
            }
        },
    }


def simulated_dataset(out: Path, experiment: Experiment, **changes: Any) -> tuple[Prepared, Truth]:
    """The prepared dataset of two simulated subjects, and the ground truth; `changes` of the
    simulation's settings."""
    simulation = out / "simulation"
    if not (simulation / "truth" / "simulation.json").exists():
        recordings = write_recordings(out / "recordings", experiment)
        settings = SimulationSettings.model_validate(
            {
                "n_subjects": len(SUBJECTS),
                "n_runs": experiment.n_runs,
                "seed": experiment.seed,
                "run_minutes": experiment.run_minutes,
                "n_parcels": 30,
                "hidden": HIDDEN,
                "kinds": dict(experiment.kinds),
                "n_units": experiment.n_units,
                "n_mixed": 2,
                "explainable_variance": experiment.explainable_variance,
                **changes,
            }
        )
        simulate(simulation, recordings, settings, progress=False)
    recipe = read_recipe(simulation / "prepare.yaml", PrepareRecipe)
    return prepare(recipe, progress=False), read_truth(simulation)


def write_recordings(folder: Path, experiment: Experiment) -> Path:
    """Synthetic tones, noises, chirps and clicks, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, experiment.n_recordings, SOUNDS_AT_A_TIME):
        n_sounds = min(SOUNDS_AT_A_TIME, experiment.n_recordings - first)
        sounds = calibration_sounds(seed=10_000 * (experiment.seed + 1) + first, n_sounds=n_sounds)
        for i, sound in enumerate(sounds.numpy()):
            soundfile.write(folder / f"sound-{first + i:05}.wav", sound, SAMPLE_RATE)
    return folder


def recipe_of(
    prepared: Prepared, subject: str, experiment: Experiment, **changes: Any
) -> FitRecipe:
    """The settings common to all fits."""
    common: dict[str, Any] = {
        "data": prepared.folder,
        "start": experiment.start,
        "subjects": [subject],
        "train_from": "none",
        "read_out": {"n_delays": 6},
        "windows": {"n_trs": 60},
        "split": {
            "test": {"seasons": ["s02"]},
            "validation": {"count": 1},
            "seed": experiment.seed,
        },
        "optimiser": {"max_epochs": 0},
        "seed": experiment.seed,
    }
    return FitRecipe.model_validate({**common, **changes})


def fit_frozen(prepared: Prepared, subject: str, out: Path, experiment: Experiment) -> Fitted:
    """Only the read-out, solved by ridge regression."""
    return fitted(
        recipe_of(prepared, subject, experiment), out / experiment.start / f"frozen-{subject}"
    )


def fit_learned(
    prepared: Prepared,
    subject: str,
    out: Path,
    experiment: Experiment,
    targets: list[int],
    train_from: str,
) -> Fitted:
    """A read-out trained from zero, alone or with the network's upper stages.

    The gain of `train_from` over "none" is then due to the network, not the solver.
    """
    optimiser = {
        "max_epochs": experiment.max_epochs,
        "learning_rate": 1e-4,
        "plateau_patience": 2,
        "patience": 6,
    }
    recipe = recipe_of(
        prepared,
        subject,
        experiment,
        targets=targets,
        train_from=train_from,
        read_out={"n_delays": 6, "initial": "zero"},
        optimiser=optimiser,
    )
    return fitted(recipe, out / experiment.start / f"learned-{train_from}-{subject}", progress=True)


class HeldOut:
    """A model's predictions of the held-out runs, computed once, for comparison with any brain."""

    def __init__(self, model: Fitted) -> None:
        parts = model.parts()
        runs = parts.splits.test
        self.prepared = parts.prepared
        self.target_ids = parts.encoder.read_out.target_ids
        names = [run.stimulus for run in runs]
        self.predictions = dict(zip(names, parts.predictor.predict_runs(runs), strict=True))

    def scores(self, subject: str) -> dict[int, float]:
        """Pearson r with the brain of a subject, mean over runs, by target."""
        columns = [self.prepared.info.target_ids.index(i) for i in self.target_ids]
        scores = [
            pearson_r(self.prepared.bold(run)[:, columns], self.predictions[run.stimulus])
            for run in self.prepared.runs
            if run.subject == subject and run.stimulus in self.predictions
        ]
        return dict(zip(self.target_ids, np.mean(scores, axis=0), strict=True))


def ids_of(truth: Truth, subject: str, kind: str) -> list[int]:
    """Targets of a subject by feature kind."""
    table = truth.table
    return [int(i) for i in table[(table.subject == subject) & (table.kind == kind)].target_id]


def rows_by_kind(truth: Truth, scores: Mapping[int, float]) -> list[dict[str, Any]]:
    """For each kind of parcel of the first subject: the best possible r, and that of the model."""
    table = truth.table[truth.table.subject == SUBJECTS[0]]
    rows = []
    for kind, members in table.groupby("kind"):
        r = np.array([scores[int(i)] for i in members.target_id])
        best = float(members.best_r.mean())
        rows.append(
            {
                "parcels": kind,
                "n": len(r),
                "best r": best,
                "frozen, ridge: r": float(r.mean()),
                "share of best": float(r.mean()) / best if best else None,
                "largest absolute r": float(np.abs(r).max()),
            }
        )
    return rows


def rows_by_fit(
    truth: Truth, ids: list[int], fits: Mapping[str, Mapping[int, float]]
) -> list[dict[str, Any]]:
    """For each fit: mean r of some targets, and the number that exceed the trained read-out."""
    table = truth.table[truth.table.subject == SUBJECTS[0]].set_index("target_id")
    baseline = np.array([fits["frozen, learned"][i] for i in ids])
    rows = []
    for name, scores in fits.items():
        r = np.array([scores[i] for i in ids])
        rows.append(
            {
                "model": name,
                "n": len(ids),
                "best r": float(table.best_r[ids].mean()),
                "r": float(r.mean()),
                "better than frozen, learned": int((r > baseline).sum()),
            }
        )
    return rows


def rows_by_model(truth: Truth, frozen: dict[str, HeldOut]) -> list[dict[str, Any]]:
    """Own and other subject's model on subject-specific and on shared parcels."""
    scores = {(a, b): frozen[a].scores(b) for a in SUBJECTS for b in SUBJECTS}
    rows = []
    for specific in (True, False):
        table = truth.table[truth.table.subject_specific == specific]
        responding = table[(table.subject == SUBJECTS[0]) & (table.kind != "deaf")]
        ids = [int(i) for i in responding.target_id]
        row: dict[str, Any] = {"parcels": "subject-specific" if specific else "shared"}
        for brain in SUBJECTS:
            for model in SUBJECTS:
                whose = "own" if model == brain else "other's"
                row[f"{brain}, {whose} model"] = float(
                    np.mean([scores[model, brain][i] for i in ids])
                )
        rows.append(row)
    return rows
