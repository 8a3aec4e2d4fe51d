"""Six brain components where labels are few: on brains whose answer is known."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV

from benchmarks.few_labels import probes
from benchmarks.few_labels.measure import Answers, _natural, summary
from benchmarks.few_labels.representations import (
    BRAIN,
    COMPONENTS,
    NULLS,
    WHOLE,
    Brain,
    permutations,
    predicted_components,
    principal_components,
)
from benchmarks.hear.few_shot import probe_answers

CATEGORIES = ("EngSpeech", "Music", "Nature")


def brain_of(informative: bool, n_sounds=90, size=40):
    """Embeddings in which the kind of sound is a small part; responses that follow it, or not."""
    generator = np.random.default_rng(0)
    kinds = np.arange(n_sounds) % 3
    direction = generator.standard_normal((3, size))
    scene = generator.standard_normal((n_sounds, size)) + direction[kinds]
    # What varies most owes nothing to the kind.
    scene += 3 * generator.standard_normal((n_sounds, 6)) @ generator.standard_normal((6, size))
    responses = np.eye(3)[kinds] if informative else generator.standard_normal((n_sounds, 3))
    responses = responses + 0.1 * generator.standard_normal((n_sounds, 3))
    return Brain(scene, responses, [CATEGORIES[kind] for kind in kinds])


def test_components_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    known = generator.standard_normal((60, 8))
    known /= known.std(axis=0)
    responses = known @ generator.standard_normal((8, 2)) + generator.standard_normal((60, 2))
    clips = generator.standard_normal((5, 8))
    ridge = RidgeCV(10.0 ** np.arange(6, -7, -1), alpha_per_target=True).fit(known, responses)
    assert np.allclose(predicted_components(known, responses, clips), ridge.predict(clips))
    expected = PCA(3).fit(known).transform(clips)
    found = principal_components(known, clips, 3)
    assert np.allclose(np.abs(found), np.abs(expected))


@pytest.mark.parametrize(("n_classes", "n_examples"), [(2, 2), (3, 30), (10, 10), (10, 200)])
def test_many_regressions_at_once_answer_as_scikit_learn_does(n_classes, n_examples):
    generator = np.random.default_rng(n_examples)
    y = np.array([f"class {i % n_classes}" for i in range(n_examples)])
    y_test = np.array([f"class {i % n_classes}" for i in range(100)])
    shift = generator.standard_normal((n_classes, 6))
    x, x_test = (
        generator.standard_normal((8, len(labels), 6)) + shift[np.arange(len(labels)) % n_classes]
        for labels in (y, y_test)
    )
    found = probes.answers(x, y, x_test, y_test)
    one_by_one = [probe_answers(x[i], y, x_test[i], y_test) for i in range(8)]
    assert np.mean(found == np.stack(one_by_one)) > 0.998  # ties at a border apart


def test_permutations_keep_to_their_groups():
    groups = list("aabbbc")
    orders = permutations(6, np.random.default_rng(0), 50, groups)
    assert all([groups[i] for i in order] == groups for order in orders)
    assert len({tuple(order) for order in orders}) == 12  # all 2! * 3! * 1! of them


@pytest.mark.parametrize("informative", [True, False])
def test_only_a_brain_that_knows_the_kinds_helps(informative):
    answers = _natural(brain_of(informative), (2, 4), n_draws=6, n_permutations=19)
    *_, together = summary("made up", {"kinds": answers})
    if informative:
        assert together[BRAIN] > together[COMPONENTS] + 0.1
        assert together[f"p against {NULLS[0]}"] == pytest.approx(1 / 20)
    else:
        assert together[f"p against {NULLS[0]}"] > 0.05
    # Within categories the permutation keeps all that this brain knows.
    assert together[f"p against {NULLS[1]}"] > 0.05


def test_all_representations_have_the_same_examples():
    generator = np.random.default_rng(0)
    table = generator.standard_normal((12, 6))
    labels = np.array(list("ab") * 6)
    features = {BRAIN: table, COMPONENTS: table, WHOLE: table} | {
        null: np.stack([table, table]) for null in NULLS
    }
    answers = Answers()
    answers.add(3, features, np.arange(6), np.arange(6, 12), labels, list("uvwxyzuvwxyz"))
    row, _ = summary("equal", {"one": answers})
    assert row[BRAIN] == row[COMPONENTS] == row[WHOLE] == row[NULLS[0]]
    assert row[f"p against {NULLS[0]}"] == 1
    assert row[f"brain - {WHOLE}"] == "+0.000 (+0.000 to +0.000)"
