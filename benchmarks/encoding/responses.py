"""Haemodynamic responses of the read-out compared, on simulated brains whose responses are known.

Parcels follow units of the network that the read-outs start from, with a double-gamma response
whose peak differs from parcel to parcel: what a frozen network's ridge read-out misses is due to
its haemodynamic response, and to the amount of data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.encoding.over_minutes import Scores, minutes_of, of_kind, rows_over_minutes
from benchmarks.encoding.simulated import SUBJECTS, Experiment, recipe_of, simulated_dataset
from hear_brainsoundnet.encoder import BrainEncoder
from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble, build_encoder
from training.fitting.recipe import ReadOutSettings
from training.fitting.response import constrain
from training.fitting.ridge import solve_read_out
from training.scores import r2_score

SEEDS = (0, 1, 2)
USUAL = Experiment(
    n_recordings=420,
    n_runs=12,
    run_minutes=3.0,
    explainable_variance=(0.3, 0.6),
    kinds=(("soundnet", 24),),
)
SIMULATION = {"n_subjects": 1, "hrf_peak": (3.5, 7.5), "n_delays": 20}
N_EPISODES = (1, 2, 4)  # to train on, of those of the first season
N_DELAYS = 7
READ_OUTS: dict[str, dict[str, object]] = {
    f"learned over {N_DELAYS} TRs": {"hrf": "fir", "n_delays": N_DELAYS},
    "canonical": {"hrf": "canonical"},
    "one delay per target": {"hrf": "delay", "n_delays": N_DELAYS},
}
PEAKS = {"peak at 4 to 6 s": (4.0, 6.0, True), "peak before or after": (4.0, 6.0, False)}


def run_responses(
    out: Path, experiment: Experiment = USUAL, seeds: Sequence[int] = SEEDS
) -> dict[str, Any]:
    """Simulate, solve each read-out from little and more data, and score."""
    of_seeds = [
        _scores(out / f"brain-{seed}", replace(experiment, seed=seed), N_EPISODES) for seed in seeds
    ]
    return {
        "title": "Haemodynamic responses of the read-out",
        "rows": rows_over_minutes(of_seeds, "haemodynamic response"),
        "seeds": {"simulations": list(seeds)},
        "settings": {**asdict(experiment), **SIMULATION},
        "notes": [
            "Held-out R² of ridge read-outs of a frozen network (`read_out.hrf`), mean over "
            "parcels, by minutes of training data. Each parcel follows units of this network with "
            "a double-gamma response of its own; the peak of the canonical response lies at 5 s. "
            "Best: of the noise-free response. Spreads are standard deviations over brains.",
        ],
    }


def _scores(out: Path, experiment: Experiment, n_episodes: Sequence[int]) -> Scores:
    """R² and the best possible one, by minutes, group of parcels and read-out."""
    prepared, truth = simulated_dataset(out, experiment, **SIMULATION)
    known = of_kind(truth, SUBJECTS[0], "soundnet")
    targets = [int(target) for target in known.index]
    parts = assemble(recipe_of(prepared, SUBJECTS[0], experiment, targets=targets))
    runs = prepared.runs
    features = dict(zip(runs, parts.predictor.features_of_runs(runs), strict=True))
    test = [run for run in runs if run.season == "s02"]
    episodes = sorted({run.episode for run in runs} - {run.episode for run in test})
    scores: Scores = {}
    for n in n_episodes:
        train = [run for run in runs if run.episode in episodes[:n]]
        for name, read_out in READ_OUTS.items():
            encoder = _solved(parts, read_out, train, [features[run] for run in train])
            r2 = np.mean([_r2(encoder, parts, run, features[run]) for run in test], axis=0)
            for parcels, (low, high, within) in PEAKS.items():
                own = (known.hrf_peak.between(low, high) == within).to_numpy()
                best = float(known.best_r2[own].mean())
                minutes = minutes_of(prepared, SUBJECTS[0], episodes[:n])
                scores[minutes, parcels, name] = float(r2[own].mean()), best
    return scores


def _solved(
    parts: Parts,
    read_out: Mapping[str, object],
    train: Sequence[Run],
    features: Sequence[NDArray[np.float32]],
) -> BrainEncoder:
    """The encoder with a ridge read-out, as a fit with `train_from` none has it."""
    recipe = parts.recipe.model_copy(update={"read_out": ReadOutSettings.model_validate(read_out)})
    read = parts.encoder.read_out
    info = parts.prepared.info
    columns = [info.target_ids.index(target) for target in read.target_ids]
    encoder = build_encoder(recipe, info, read.subjects, columns, parts.start).eval()
    constrain(encoder, recipe.read_out.hrf)
    solve_read_out(encoder.heads[read.names[0]], train, features, parts.loader.responses(train))
    return encoder


@torch.no_grad()
def _r2(
    encoder: BrainEncoder, parts: Parts, run: Run, features: NDArray[np.float32]
) -> NDArray[np.float64]:
    predicted = encoder.respond(torch.from_numpy(features)[None])[0].numpy()
    return r2_score(parts.loader.bold(run), predicted)
