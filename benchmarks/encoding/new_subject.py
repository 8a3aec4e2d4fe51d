"""A new subject's read-out from little data, on a network that was trained on other subjects.

Parcels follow units of a network that no fit starts from. A multi-subject fit tunes the network to
four subjects; a fifth one gets a read-out of its own, solved on that network, from one, two or
three episodes. Test episodes are seen by no fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.encoding.fits import fitted
from benchmarks.encoding.over_minutes import Scores, minutes_of, of_kind, rows_over_minutes
from benchmarks.encoding.simulated import Experiment, recipe_of, simulated_dataset
from training.fitting.fit_folder import MODEL_FILE, OUTCOME_FILE, FitFolder

SEEDS = (0, 1, 2)
USUAL = Experiment(
    n_recordings=300,
    n_runs=12,
    run_minutes=2.0,
    max_epochs=12,
    kinds=(("soundnet", 20),),
    start="natural-sounds",
)
TUNED_FROM = "conv6"
LEARNING_RATE = 3e-4
TRUNK = "others"  # folder of the fit to the others
NEW = "sub-05"
OTHERS = ("sub-01", "sub-02", "sub-03", "sub-04")
WINDOWS = {"n_trs": 36}
N_EPISODES = (1, 2, 3)  # of the new subject, of those of the first season; the last one validates
GROUPS = {"tuned as in the others": False, "tuned otherwise": True}


def run_new_subject(
    out: Path, experiment: Experiment = USUAL, seeds: Sequence[int] = SEEDS
) -> dict[str, Any]:
    """Simulate, tune to the first subjects, fit the new one, and score; fits are reused."""
    brains = {seed: out / f"brain-{seed}" for seed in seeds}
    of_seeds = [_scores(brain, replace(experiment, seed=seed)) for seed, brain in brains.items()]
    outcomes = [FitFolder(brain / TRUNK).read_document(OUTCOME_FILE) for brain in brains.values()]
    n_unchanged = sum(outcome["kept_epoch"] == 0 for outcome in outcomes)
    return {
        "title": "A new subject on a network that was trained on others",
        "rows": rows_over_minutes(of_seeds, "fit"),
        "seeds": {"simulations": list(seeds)},
        "settings": asdict(experiment),
        "notes": [
            "Held-out R² of a simulated subject, mean over parcels, by minutes of its training "
            f"data. The network of the checkpoint {experiment.start!r} is tuned from {TUNED_FROM} "
            f"upwards to {len(OTHERS)} other subjects; the new one gets a ridge read-out on it, or "
            "on the network as it was, or an individual fit that tunes this network in the same "
            "way. Best: of the noise-free response. Spreads are standard deviations over brains.",
            "All subjects have the same stimuli; nobody's test episodes are in any fit. One more "
            "episode of the new subject decides when its individual fit stops.",
            f"In {n_unchanged} of {len(seeds)} simulations no epoch of tuning to the others was "
            "better on their validation episode than the start, and the network stayed as it was.",
        ],
    }


def _scores(out: Path, experiment: Experiment) -> Scores:
    prepared, truth = simulated_dataset(out, experiment, n_subjects=len(OTHERS) + 1)
    known = of_kind(truth, NEW, "soundnet")
    targets = [int(target) for target in known.index]
    episodes = sorted({run.episode for run in prepared.runs if run.season == "s01"})
    common = {"targets": targets, "windows": WINDOWS}
    optimiser = {
        "max_epochs": experiment.max_epochs,
        "learning_rate": LEARNING_RATE,
        "patience": 4,
        "plateau_patience": 1,
    }
    tuning = {**common, "train_from": TUNED_FROM, "optimiser": optimiser}
    split: dict[str, Any] = {
        "test": {"seasons": ["s02"]},
        "validation": {"episodes": episodes[-1:]},
    }
    several = {"model": "multi_subject", "subjects": list(OTHERS), "split": split}
    trunk = fitted(recipe_of(prepared, NEW, experiment, **tuning, **several), out / TRUNK)
    fits: dict[str, dict[str, Any]] = {
        "new read-out, network as it was": common,
        "new read-out, network tuned to others": {
            **common,
            "start": str(trunk.folder / MODEL_FILE),
            # Episodes that are neither trained on nor tested are in the test split, not scored.
            "start_overlap": "allow",
        },
        "individual fit": tuning,
    }
    scores: Scores = {}
    for n in N_EPISODES:
        minutes = minutes_of(prepared, NEW, episodes[:n])
        own_split = {**split, "test": {"seasons": ["s02"], "episodes": episodes[n:-1]}}
        for name, changes in fits.items():
            recipe = recipe_of(prepared, NEW, experiment, **changes, split=own_split)
            folder = fitted(recipe, out / f"{n}-{name.replace(' ', '-')}").folder
            table = FitFolder(folder).scores()
            tested = [run.name for run in prepared.runs if run.season == "s02"]
            r2 = table[table.run.isin(tested)].groupby("target_id").r2.mean()
            for parcels, is_specific in GROUPS.items():
                own = known[known.subject_specific == is_specific]
                best = float(own.best_r2.mean())
                scores[minutes, parcels, name] = float(r2[own.index].mean()), best
    return scores
