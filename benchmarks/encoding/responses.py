"""Haemodynamic responses of the read-out compared, on simulated brains whose responses are known.

Parcels follow units of the network that the read-outs start from, with a double-gamma response
whose peak differs from parcel to parcel: what a frozen network's ridge read-out misses is due to
its haemodynamic response, and to the amount of data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.encoding.fits import fitted
from benchmarks.encoding.over_minutes import Scores, minutes_of, of_kind, rows_over_minutes
from benchmarks.encoding.simulated import SUBJECTS, Experiment, recipe_of, simulated_dataset
from training.fitting.fit_folder import FitFolder

SEEDS = (0, 1, 2)
USUAL = Experiment(
    n_recordings=800,
    n_runs=18,
    run_minutes=4.0,
    explainable_variance=(0.3, 0.6),
    kinds=(("soundnet", 24),),
)
SIMULATION = {"n_subjects": 1, "hrf_peak": (3.5, 7.5), "n_delays": 20}
N_EPISODES = (1, 2, 5)  # to train on, of those of the first season
N_DELAYS = 7
READ_OUTS = {
    f"learned over {N_DELAYS} TRs": {"hrf": "fir", "n_delays": N_DELAYS},
    "canonical": {"hrf": "canonical"},
    "one delay per target": {"hrf": "delay", "n_delays": N_DELAYS},
}
PEAKS = {"peak at 4 to 6 s": (4.0, 6.0, True), "peak before or after": (4.0, 6.0, False)}


def run_responses(
    out: Path, experiment: Experiment = USUAL, seeds: Sequence[int] = SEEDS
) -> dict[str, Any]:
    """Simulate, fit each read-out to little and more data, and score; fits are reused."""
    of_seeds = [
        _scores(out / f"brain-{seed}", replace(experiment, seed=seed), N_EPISODES) for seed in seeds
    ]
    return {
        "title": "Haemodynamic responses of the read-out",
        "command": "python -m benchmarks encoding responses --out WORK",
        "rows": rows_over_minutes(of_seeds, "haemodynamic response"),
        "seeds": {"simulations": list(seeds)},
        "settings": {**asdict(experiment), **SIMULATION},
        "notes": [
            "Held-out R² of ridge read-outs of a frozen network (`read_out.hrf`), mean over "
            "parcels, by minutes of training data. Each parcel follows units of this network with "
            "a double-gamma response of its own; the peak of the canonical response lies at 5 s. "
            "Best: of the noise-free response.",
        ],
    }


def _scores(out: Path, experiment: Experiment, n_episodes: Sequence[int]) -> Scores:
    prepared, truth = simulated_dataset(out, experiment, **SIMULATION)
    known = of_kind(truth, SUBJECTS[0], "soundnet")
    episodes = sorted({run.episode for run in prepared.runs if run.season == "s01"})
    scores: Scores = {}
    for n in n_episodes:
        minutes = minutes_of(prepared, SUBJECTS[0], episodes[:n])
        for name, read_out in READ_OUTS.items():
            recipe = recipe_of(
                prepared,
                SUBJECTS[0],
                experiment,
                targets=[int(target) for target in known.index],
                read_out=read_out,
                split={"test": {"seasons": ["s02"]}, "validation": {"episodes": episodes[n:]}},
            )
            folder = out / f"{n}-{name.replace(' ', '-')}"
            table = FitFolder(fitted(recipe, folder).folder).scores()
            r2 = table[table.side == "test"].groupby("target_id").r2.mean()
            for parcels, (low, high, within) in PEAKS.items():
                own = known[known.hrf_peak.between(low, high) == within]
                scores[minutes, parcels, name] = (
                    float(r2[own.index].mean()),
                    float(own.best_r2.mean()),
                )
    return scores
