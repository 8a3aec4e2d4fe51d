import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from training.fitting.ridge import folds_by_episode
from training.partition.banded_ridge import STRENGTHS, BandedRidge, fit_and_predict, mixtures


def spaces(generator: np.random.Generator, n_rows: int, **widths: int) -> dict[str, np.ndarray]:
    return {
        name: generator.standard_normal((n_rows, width)) / np.sqrt(width)
        for name, width in widths.items()
    }


@pytest.mark.parametrize("form", ["kernels", "grams"])
def test_one_space_and_one_strength_is_the_ridge_of_scikit_learn(form: str):
    generator = np.random.default_rng(0)
    training, others = spaces(generator, 60, a=7), spaces(generator, 9, a=7)
    y = 3 + training["a"][:, :4] + generator.standard_normal((60, 4))
    predicted = fit_and_predict(
        training, y, others, folds_by_episode(["x"] * 60), strengths=np.array([0.05]), form=form
    )
    oracle = Ridge(alpha=0.05 * 60).fit(training["a"], y).predict(others["a"])
    np.testing.assert_allclose(predicted, oracle, atol=1e-8)


def test_form_changes_nothing():
    generator = np.random.default_rng(1)
    training, others = spaces(generator, 90, a=6, b=3), spaces(generator, 20, a=6, b=3)
    y = training["a"] @ generator.standard_normal((6, 3)) + generator.standard_normal((90, 3))
    folds = folds_by_episode(list("vw" * 10) + ["x"] * 30 + ["y"] * 40)  # of unequal length
    one, *more = (
        fit_and_predict(training, y, others, folds, form=form) for form in ("kernels", "grams")
    )
    for other in more:
        np.testing.assert_allclose(other, one, atol=1e-6)


@pytest.mark.parametrize("form", ["kernels", "grams"])
def test_models_of_some_spaces_do_not_know_of_the_others(form: str):
    generator = np.random.default_rng(4)
    widths = {"a": 6, "b": 3, "c": 2}
    training, others = spaces(generator, 90, **widths), spaces(generator, 20, **widths)
    y = training["b"] @ generator.standard_normal((3, 5)) + generator.standard_normal((90, 5))
    folds = folds_by_episode(np.repeat(list("vwxyz"), 18).tolist())
    ridge = BandedRidge(training, y, others, folds, form=form)
    for chosen in ("abc", "bc", "ac", "b"):
        own, own_others = ({name: rows[name] for name in chosen} for rows in (training, others))
        alone = fit_and_predict(own, y, own_others, folds, form=form)
        np.testing.assert_allclose(ridge.predict(tuple(chosen)), alone, atol=1e-10)


def test_regularisation_is_chosen_for_each_space_and_target():
    generator = np.random.default_rng(2)
    training, others = spaces(generator, 150, a=60, b=60), spaces(generator, 400, a=60, b=60)
    weights = {name: generator.standard_normal((60, 1)) for name in "ab"}
    y, truth = (
        np.concatenate([rows["a"] @ weights["a"], rows["b"] @ weights["b"]], axis=1)
        for rows in (training, others)
    )
    y = y + 0.5 * generator.standard_normal(y.shape)
    folds = folds_by_episode(np.repeat(list("vwxyz"), 30).tolist())
    banded = fit_and_predict(training, y, others, folds)
    stacked = {name: np.concatenate(list(rows.values()), axis=1) / np.sqrt(2)
               for name, rows in (("training", training), ("others", others))}  # fmt: skip
    plain = fit_and_predict({"all": stacked["training"]}, y, {"all": stacked["others"]}, folds)
    error = [np.square(each - truth).mean(axis=0) for each in (banded, plain)]
    assert (error[0] < 0.8 * error[1]).all()  # one space is of no use to each of the targets


def test_folds_are_whole_episodes():
    episodes = list("aabbbcccdddeeeff")
    folds = folds_by_episode(episodes)
    assert len(folds) == 5
    for train, held_out in folds:
        assert not {episodes[i] for i in train} & {episodes[i] for i in held_out}


def test_one_episode_is_folded_into_consecutive_rows():
    for _, held_out in folds_by_episode(["a"] * 23):
        assert (np.diff(held_out) == 1).all()


def test_mixtures_lie_on_the_simplex_and_follow_the_seed():
    weights = mixtures(3, 20, seed=5)
    assert weights.shape == (7 + 20, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_array_equal(weights, mixtures(3, 20, seed=5))
    assert not np.array_equal(weights, mixtures(3, 20, seed=6))


def test_wrong_input_is_refused_in_words():
    with pytest.raises(ValueError, match="at least one feature space"):
        fit_and_predict({}, np.zeros((4, 1)), {}, [])
    with pytest.raises(ValueError, match="2 rows or more, got 1"):
        folds_by_episode(["a"])


def test_memory_does_not_grow_with_strengths_and_targets():
    """Against the predictions of a fold by all strengths that a direct search would hold."""
    generator = np.random.default_rng(3)
    n_rows, n_targets = 6000, 1500
    training = spaces(generator, n_rows, a=20)
    y = generator.standard_normal((n_rows, n_targets))
    folds = folds_by_episode([str(10 * i // n_rows) for i in range(n_rows)])
    tracemalloc.start()
    fit_and_predict(training, y, {"a": training["a"][:9]}, folds, n_random=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(STRENGTHS) * y.nbytes / len(folds)
