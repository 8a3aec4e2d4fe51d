import itertools
import subprocess
import sys
from math import factorial

import numpy as np
import pytest

from training.scores import pearson_r, r2_score
from training.statistics import null_scores, p_values
from training.statistics.surrogates import draw_surrogates, surrogates_of

NULLS = ("circular_shift", "block_permutation", "phase_randomised", "shuffle")
SCORES = {"r": pearson_r, "r2": r2_score}
SETTINGS = {"min_shift": 5, "block_trs": 7}


@pytest.fixture
def runs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Runs of even, odd and prime length, smooth, with levels, one target missing in one run."""
    generator = np.random.default_rng(1)
    each = []
    for n_trs in (60, 77, 53):
        measured, predicted = generator.standard_normal((2, n_trs, 6)).cumsum(axis=1)
        each.append((measured, 0.2 * measured + 0.2 * predicted + 3))
    each[1][0][4, 2] = np.nan
    each[0][1][:, 3] = 1.5
    each[2][0][:, 4] = 2.0
    for measured, _ in each:
        measured[0, 5] = np.nan
    return each


def surrogate_by_hand(null: str, predicted: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """What a draw means, written without the code under test."""
    n_trs = len(predicted)
    if null == "circular_shift":
        return np.array([predicted[(t - draw) % n_trs] for t in range(n_trs)])
    if null == "block_permutation":
        rows = [range(b * 7, min(b * 7 + 7, n_trs)) for b in draw]
        return predicted[list(itertools.chain(*rows))]
    if null == "shuffle":
        return predicted[draw]
    whole = np.concatenate([draw, -draw[1 : (n_trs + 1) // 2][::-1]])
    surrogate = np.fft.ifft(np.fft.fft(predicted, axis=0) * np.exp(1j * whole)[:, None], axis=0)
    np.testing.assert_allclose(surrogate.imag, 0, atol=1e-9)
    return surrogate.real


def plain_loop(runs, null, score, pooling, n_permutations, seed) -> np.ndarray:
    surrogates = surrogates_of(null, **SETTINGS)
    lengths = [len(measured) for measured, _ in runs]
    draws = list(draw_surrogates(surrogates, lengths, n_permutations, seed))
    rows = []
    for k in range(n_permutations):
        shifted = [
            (measured, surrogate_by_hand(null, predicted, draw[k]))
            for (measured, predicted), draw in zip(runs, draws, strict=True)
        ]
        if pooling == "concatenated":
            row = np.full(6, np.nan)
            for i in range(5):
                has = [run for run in shifted if np.isfinite(run[0][:, i]).all()]
                together = [np.concatenate([run[side] for run in has]) for side in (0, 1)]
                row[i] = SCORES[score](*together)[i]
        else:
            scores = np.array([SCORES[score](*run) for run in shifted])
            scores = np.arctanh(scores) if pooling == "fisher_z" else scores
            row = np.array([np.mean(c[~np.isnan(c)]) if c[0] == c[0] else np.nan for c in scores.T])
            row = np.tanh(row) if pooling == "fisher_z" else row
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    ("score", "pooling"),
    [
        ("r", "mean"),
        ("r", "fisher_z"),
        ("r", "concatenated"),
        ("r2", "mean"),
        ("r2", "concatenated"),
    ],
)
def test_equal_to_the_plain_loop_with_the_same_draws(runs, null, score, pooling):
    result = null_scores(
        runs, null=null, score=score, pooling=pooling, n_permutations=20, seed=3, **SETTINGS
    )
    expected = plain_loop(runs, null, score, pooling, 20, seed=3)
    np.testing.assert_allclose(result.null, expected, rtol=1e-8, atol=1e-10)
    assert np.isnan(result.null[:, 5]).all()
    assert np.isnan(result.observed[5])


@pytest.mark.parametrize("null", NULLS)
def test_surrogates_are_what_they_are_said_to_be(runs, null):
    surrogates = surrogates_of(null, **SETTINGS)
    for _, predicted in runs:
        draws = surrogates.draw(len(predicted), 3, np.random.default_rng(0))
        for draw in draws:
            surrogate = surrogates.surrogate(predicted, draw)
            by_hand = surrogate_by_hand(null, predicted, draw)
            np.testing.assert_allclose(surrogate, by_hand, atol=1e-10)
            np.testing.assert_allclose(surrogate.mean(axis=0), predicted.mean(axis=0))
            np.testing.assert_allclose(surrogate.var(axis=0), predicted.var(axis=0), atol=1e-12)
            if null in ("circular_shift", "phase_randomised"):
                spectra = [np.abs(np.fft.rfft(p, axis=0)) for p in (surrogate, predicted)]
                np.testing.assert_allclose(*spectra, atol=1e-8)


@pytest.mark.parametrize("null", NULLS)
def test_seeds_decide(runs, null):
    same, again, other = (
        null_scores(runs, null=null, n_permutations=20, seed=seed, **SETTINGS).null
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(same, again)
    assert not np.allclose(same, other, equal_nan=True)


@pytest.mark.parametrize("null", NULLS)
def test_more_targets_at_once_change_nothing(null):
    tables = np.random.default_rng(0).standard_normal((2, 40, 600))
    whole = null_scores([tuple(tables)], null=null, n_permutations=9, **SETTINGS).null
    last = null_scores([tuple(tables[:, :, 590:])], null=null, n_permutations=9, **SETTINGS).null
    np.testing.assert_allclose(whole[:, 590:], last, atol=1e-12)


def test_shifts_stay_away_from_the_place_of_the_prediction():
    shifts = surrogates_of("circular_shift", min_shift=10).draw(50, 2000, np.random.default_rng(0))
    assert (shifts.min(), shifts.max()) == (10, 40)


def test_few_shifts_are_listed_once_each_instead_of_drawn(runs):
    measured, predicted = runs[0]
    result = null_scores([runs[0]], null="circular_shift", n_permutations=1000, min_shift=20)
    expected = [pearson_r(measured, np.roll(predicted, s, axis=0)) for s in range(20, 41)]
    np.testing.assert_allclose(result.null, expected, atol=1e-10)
    assert result.n_possible == result.n_permutations == 21


def test_combinations_of_few_shifts_are_listed_too():
    pair = [tuple(np.random.default_rng(i).standard_normal((2, 8, 1))) for i in range(2)]
    result = null_scores(pair, null="circular_shift", n_permutations=1000, min_shift=3)
    expected = [
        np.mean([pearson_r(y, np.roll(p, s, axis=0)) for (y, p), s in zip(pair, both, strict=True)])
        for both in itertools.product((3, 4, 5), repeat=2)
    ]
    np.testing.assert_allclose(result.null[:, 0], expected, atol=1e-12)


def test_one_draw_for_runs_of_the_same_sound():
    """27 subjects whose BOLD is the same count as one: the null must be as wide as that of one."""
    generator = np.random.default_rng(0)
    measured, predicted = generator.standard_normal((2, 200, 1)).cumsum(axis=1)
    subjects = [(measured, predicted)] * 27
    together = null_scores(subjects, null="circular_shift", same_draw=True)
    one = null_scores(subjects[:1], null="circular_shift")
    np.testing.assert_allclose(together.null, one.null, atol=1e-12)
    apart = null_scores(subjects, null="circular_shift")
    assert apart.null.std() < one.null.std() / 4
    with pytest.raises(ValueError, match="needs runs of equal length, got lengths of 100, 200 TRs"):
        null_scores([*subjects, (measured[:100], predicted[:100])], null="shuffle", same_draw=True)


def test_a_constant_prediction_is_as_good_as_its_surrogates(runs):
    constant = [(measured[:, :2], np.full_like(measured[:, :2], 0.1)) for measured, _ in runs]
    for null in NULLS:
        for score in ("r", "r2"):
            scores = null_scores(constant, null=null, score=score, n_permutations=19, **SETTINGS)
            np.testing.assert_array_equal(p_values(scores.observed, scores.null), 1)


def test_number_of_possible_surrogates():
    pair = [tuple(np.random.default_rng(i).standard_normal((2, 30, 1))) for i in range(2)]
    options = {"n_permutations": 5, **SETTINGS}
    assert null_scores(pair, null="circular_shift", **options).n_possible == 21**2
    assert null_scores(pair, null="block_permutation", **options).n_possible == factorial(5) ** 2
    assert null_scores(pair, null="phase_randomised", **options).n_possible == np.inf
    assert null_scores(pair, null="shuffle", **options).n_possible == factorial(30) ** 2
    assert null_scores(pair * 9, null="shuffle", **options).n_possible == np.inf


def test_what_cannot_be_is_refused_in_words():
    run = tuple(np.random.default_rng(0).standard_normal((2, 30, 1)))
    with pytest.raises(ValueError, match=r"30 TRs cannot be shifted by at least 20 TRs.*1 to 15"):
        null_scores([run], null="circular_shift", min_shift=20)
    with pytest.raises(ValueError, match=r"30 TRs has no two blocks of 16 TRs"):
        null_scores([run], null="block_permutation", block_trs=16)
    with pytest.raises(ValueError, match=r"only 6 different surrogates of 1 run.*shorter blocks"):
        null_scores([run], null="block_permutation", block_trs=12)
    with pytest.raises(ValueError, match="no free phase; expected at least 4"):
        null_scores([(run[0][:3], run[1][:3])], null="phase_randomised")
    with pytest.raises(ValueError, match="expected a null of circular_shift, "):
        null_scores([run], null="bootstrap")
    with pytest.raises(ValueError, match="at least 1 permutation, got 0"):
        null_scores([run], null="shuffle", n_permutations=0)


MEASURE = """
import resource, sys, time
import numpy as np
from training.statistics import null_scores
generator = np.random.default_rng(0)
runs = [tuple(generator.standard_normal((2, 480, 1000), dtype=np.float32)) for _ in range(48)]
start = time.perf_counter()
null_scores(runs, null=sys.argv[1], n_permutations=1000)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
@pytest.mark.timing
@pytest.mark.parametrize("null", NULLS[:3])
def test_a_whole_experiment_takes_less_than_two_minutes_and_two_gigabytes(null):
    """1,000 surrogates of 1,000 targets in 48 runs of 480 TRs."""
    out = subprocess.run(
        [sys.executable, "-c", MEASURE, null], capture_output=True, text=True, check=True
    ).stdout
    seconds, gigabytes = map(float, out.split())
    assert seconds < 120
    assert gigabytes < 2
