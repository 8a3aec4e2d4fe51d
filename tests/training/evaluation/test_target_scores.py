import numpy as np
import pytest
from scipy.stats import pearsonr
from scipy.stats import t as student_t
from sklearn.metrics import r2_score

from training.evaluation.pseudo_values import (
    interval_over_units,
    pseudo_values,
    rows_as_units,
)
from training.evaluation.settings import EvaluationSettings
from training.evaluation.target_scores import SubjectsTogether, score_subject, target_rows

N_RUNS, N_TRS, N_TARGETS = 5, 60, 3


def drawn(seed: int, n_runs: int = N_RUNS) -> list[tuple[np.ndarray, np.ndarray]]:
    """Runs of slow signals that a prediction shares a part of."""
    generator = np.random.default_rng(seed)
    white = generator.standard_normal((n_runs, 2, N_TRS, N_TARGETS))
    smooth = white + np.roll(white, 1, axis=2) + np.roll(white, 2, axis=2)
    return [(y + 0.5 * p + 0.2 * i, p) for i, (y, p) in enumerate(smooth)]


def settings(**changes: object) -> EvaluationSettings:
    return EvaluationSettings.model_validate(
        {"null": "circular_shift", "n_permutations": 99, "correction": "none", **changes}
    )


def each(runs: list, score: str) -> np.ndarray:
    """Scores of runs by scipy and scikit-learn, ``(n_runs, n_targets)``."""
    one = {"r": lambda y, p: pearsonr(y, p).statistic, "r2": r2_score}[score]
    return np.array([[one(y[:, i], p[:, i]) for i in range(N_TARGETS)] for y, p in runs])


def test_pooling_does_what_its_name_says():
    runs = drawn(0)
    whole = [tuple(np.concatenate(tables) for tables in zip(*runs, strict=True))]
    mean = score_subject(runs, settings(), are_sounds=False)
    fisher = score_subject(runs, settings(pooling="fisher_z"), are_sounds=False)
    together = score_subject(runs, settings(pooling="concatenated"), are_sounds=False)
    for score in ("r", "r2"):
        assert mean.scores[score] == pytest.approx(each(runs, score).mean(axis=0))
        assert together.scores[score] == pytest.approx(each(whole, score)[0])
    expected = np.tanh(np.arctanh(each(runs, "r")).mean(axis=0))
    assert fisher.scores["r"] == pytest.approx(expected)
    assert fisher.scores["r2"] == pytest.approx(mean.scores["r2"])  # Fisher's z is of r alone


def test_interval_of_few_runs_is_students():
    runs = drawn(1)
    bounds = score_subject(runs, settings(), are_sounds=False).bounds["r"]
    r = each(runs, "r")
    half = student_t.ppf(0.975, N_RUNS - 1) * r.std(axis=0, ddof=1) / np.sqrt(N_RUNS)
    assert bounds.low == pytest.approx(np.maximum(r.mean(axis=0) - half, -1))
    assert bounds.high == pytest.approx(np.minimum(r.mean(axis=0) + half, 1))


def test_concatenated_scores_lie_within_their_interval():
    result = score_subject(drawn(2, 12), settings(pooling="concatenated"), are_sounds=False)
    for score in ("r", "r2"):
        assert (result.bounds[score].low < result.scores[score]).all()
        assert (result.scores[score] < result.bounds[score].high).all()


def test_subjects_together_are_the_mean_with_surrogates_that_they_share():
    """A shift that suits one subject by chance suits the others, too: all receive the same."""
    subjects = [drawn(seed) for seed in range(4)]
    results = [score_subject(runs, settings(), are_sounds=False) for runs in subjects]
    together = SubjectsTogether(settings())
    for result in results:
        together.add(result)
    found = together.result()
    r = np.array([each(runs, "r").mean(axis=0) for runs in subjects])
    assert found.scores["r"] == pytest.approx(r.mean(axis=0))
    assert found.n_units.tolist() == [4] * N_TARGETS
    nulls = [result.null.null for result in results if result.null is not None]
    assert found.null is not None
    assert found.null.null == pytest.approx(np.mean(nulls, axis=0))
    same = [score_subject(subjects[0], settings(), are_sounds=False) for _ in range(4)]
    copies = SubjectsTogether(settings())
    for result in same:
        copies.add(result)
    assert copies.result().null.null == pytest.approx(same[0].null.null)  # nothing averages out


def test_chosen_correction_is_what_significance_means():
    result = score_subject(drawn(3), settings(), are_sounds=False)
    key = {"model": "m", "subject": "s", "target_id": range(3), "target_name": "x"}
    tables = {
        name: target_rows(result, {}, settings(correction=name, alpha=0.2), key)
        for name in ("none", "bh", "by", "fwe")
    }
    columns = {"none": "p", "bh": "p_bh", "by": "p_by", "fwe": "p_fwe"}
    for name, table in tables.items():
        assert (table["significant"] == (table[columns[name]] <= 0.2)).all()
        assert table["r_fraction"].isna().all()


def test_ceilings_below_the_floor_give_no_fraction():
    result = score_subject(drawn(4), settings(), are_sounds=False)
    key = {"model": "m", "subject": "s", "target_id": range(3), "target_name": "x"}
    ceiling = np.array([0.5, 0.05, np.nan])
    references = {"ceiling_r": ceiling, "inter_subject_r": ceiling / 2}
    table = target_rows(result, references, settings(ceiling_floor=0.1), key)
    assert table["r_fraction"][0] == pytest.approx(result.scores["r"][0] / 0.5)
    assert table["r_fraction"][1:].isna().all()
    np.testing.assert_array_equal(table["inter_subject_r"], ceiling / 2)


def test_what_was_not_tested_is_not_called_insignificant():
    result = score_subject(drawn(4), settings(n_permutations=0), are_sounds=False)
    key = {"model": "m", "subject": "s", "target_id": range(3), "target_name": "x"}
    table = target_rows(result, {}, settings(n_permutations=0), key)
    assert table["significant"].isna().all()
    assert table["p"].isna().all()


def test_sounds_have_an_interval_over_sounds():
    """One table of 60 sounds is one run, yet the spread over sounds is known."""
    result = score_subject(drawn(5, 1), settings(null="shuffle"), are_sounds=True)
    assert (result.bounds["r"].low < result.scores["r"]).all()
    assert (result.scores["r"] < result.bounds["r"].high).all()
    assert result.n_units.tolist() == [1] * N_TARGETS


@pytest.mark.parametrize("score", ["r", "r2"])
def test_pseudo_values_leave_each_run_out_in_turn(score: str):
    generator = np.random.default_rng(0)
    runs = [tuple(generator.standard_normal((2, n, 2)) + 0.3) for n in (9, 12, 7)]

    def whole(some):
        y, p = (np.concatenate(tables)[:, 1] for tables in zip(*some, strict=True))
        return np.arctanh(pearsonr(y, p).statistic) if score == "r" else r2_score(y, p)

    expected = [
        3 * whole(runs) - 2 * whole([run for run in runs if run is not one]) for one in runs
    ]
    assert pseudo_values(runs, score)[:, 1] == pytest.approx(expected)


def test_runs_that_lack_a_target_have_no_pseudo_value():
    generator = np.random.default_rng(1)
    runs = [tuple(generator.standard_normal((2, 20, 2))) for _ in range(4)]
    runs[2][0][:, 0] = np.nan
    values = pseudo_values(runs, "r")
    assert np.isnan(values).tolist() == [[False, False], [False, False], [True, False], [False] * 2]
    without = pseudo_values([runs[0], runs[1], runs[3]], "r")
    assert values[[0, 1, 3], 0] == pytest.approx(without[:, 0])
    assert np.isnan(pseudo_values(runs[:1], "r")).all()


@pytest.mark.parametrize(("score", "truth"), [("r", np.sqrt(0.5)), ("r2", 0.5)])
def test_intervals_over_sounds_hold_the_truth_as_often_as_they_say(score: str, truth: float):
    """2000 tables of 82 sounds: 95 % give or take 4 standard errors of 0.5 %."""
    generator = np.random.default_rng(2)
    signal, noise = generator.standard_normal((2, 82, 2000))
    bounds = interval_over_units(rows_as_units(signal + noise, signal), score, 0.95, seed=0)
    covered = np.mean((bounds.low < truth) & (truth < bounds.high))
    assert 0.93 < covered < 0.97
