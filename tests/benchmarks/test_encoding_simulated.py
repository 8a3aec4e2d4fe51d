"""A small simulation, fitted and scored as the results page does it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding import new_subject, responses
from benchmarks.encoding.simulated import (
    SUBJECTS,
    TUNED_FROM,
    Experiment,
    HeldOut,
    fit_frozen,
    fit_learned,
    ids_of,
    simulated_dataset,
)
from training.data.prepared import Prepared
from training.simulation import Truth

SMALL = Experiment(
    n_recordings=450,
    n_runs=12,
    run_minutes=4.0,
    explainable_variance=(0.8, 0.95),
    n_units=4,
    max_epochs=25,
    kinds=(("soundnet", 10), ("other_soundnet", 10), ("envelope", 2)),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Truth, dict[str, HeldOut]]:
    out = tmp_path_factory.mktemp("simulated")
    prepared, truth = simulated_dataset(out, SMALL)
    models = {subject: HeldOut(fit_frozen(prepared, subject, out, SMALL)) for subject in SUBJECTS}
    return prepared, truth, models


Known = tuple[Prepared, Truth, dict[str, HeldOut]]


def mean_of(scores: dict[int, float], ids: list[int]) -> float:
    return float(np.mean([scores[i] for i in ids]))


def test_read_out_comes_within_a_fifth_of_the_best_possible_score(known: Known):
    _, truth, models = known
    for subject in SUBJECTS:
        scores = models[subject].scores(subject)
        of_subject = truth.table[truth.table.subject == subject]
        in_features = of_subject[of_subject.kind == "soundnet"]
        best = float(in_features.best_r.mean())
        assert mean_of(scores, in_features.target_id.tolist()) > 0.8 * best


def test_parcels_without_response_stay_at_zero_within_their_null(known: Known):
    prepared, truth, models = known
    n_trs = sum(run.n_trs for run in prepared.runs if run.subject == SUBJECTS[0]) / 3
    # Noise and prediction are autocorrelated: their r spreads wider than 1 / sqrt(n).
    bound = 4 * 1.4 / np.sqrt(n_trs)
    for subject in SUBJECTS:
        silent = truth.table[(truth.table.subject == subject) & (truth.table.kind == "deaf")]
        scores = models[subject].scores(subject)
        assert len(silent) > 5
        assert all(abs(scores[i]) < bound for i in silent.target_id)


def test_fine_tuning_finds_the_units_of_another_network(known: Known, tmp_path_factory):
    """Against a frozen network whose read-out is learned in the same way."""
    prepared, truth, _ = known
    out = tmp_path_factory.mktemp("learned")
    ids = ids_of(truth, SUBJECTS[0], "other_soundnet")
    frozen, tuned = (
        HeldOut(fit_learned(prepared, SUBJECTS[0], out, SMALL, ids, train_from)).scores(SUBJECTS[0])
        for train_from in ("none", TUNED_FROM)
    )
    assert mean_of(tuned, ids) > mean_of(frozen, ids)


def test_own_model_predicts_subject_specific_parcels_better(known: Known):
    _, truth, models = known
    table = truth.table[(truth.table.subject == SUBJECTS[0]) & (truth.table.kind == "soundnet")]
    for subject, other in (SUBJECTS, SUBJECTS[::-1]):
        own, others = (models[model].scores(subject) for model in (subject, other))
        specific = table[table.subject_specific].target_id.tolist()
        shared = table[~table.subject_specific].target_id.tolist()
        assert mean_of(own, specific) > mean_of(others, specific) + 0.02
        assert mean_of(own, shared) == pytest.approx(mean_of(others, shared), abs=0.1)


def test_read_outs_with_each_response_find_a_brain_that_follows_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(responses, "N_EPISODES", (1,))
    small = replace(
        responses.USUAL,
        n_runs=6,
        run_minutes=2.0,
        n_recordings=140,
        explainable_variance=(0.8, 0.9),
    )
    document = responses.run_responses(tmp_path, small, seeds=(0,))
    assert len(document["rows"]) == len(responses.PEAKS) * len(responses.READ_OUTS)
    assert all(0.1 < row["R²"] < row["best R²"] for row in document["rows"])


def test_a_new_subject_is_scored_with_each_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(new_subject, "N_EPISODES", (1,))
    small = replace(new_subject.USUAL, n_runs=8, run_minutes=2.0, n_recordings=200, max_epochs=1)
    rows = new_subject.run_new_subject(tmp_path, small, seeds=(0,))["rows"]
    assert {row["parcels"] for row in rows} == set(new_subject.GROUPS)
    assert len({row["fit"] for row in rows}) == 3
    assert all(row["R²"] < row["best R²"] for row in rows)
