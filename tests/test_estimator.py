"""Scene embeddings in scikit-learn pipelines."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rounding import network_rounding
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from hear_brainsoundnet import get_scene_embeddings, load_model
from hear_brainsoundnet.estimator import SceneEmbedding

RATE = 16_000


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    """White and brown noise in turn."""
    white = 0.1 * np.random.default_rng(0).standard_normal((8, 4_000))
    white[1::2] = white[1::2].cumsum(axis=1) / 10
    return white.astype(np.float32)


def test_it_gives_scene_embeddings_of_arrays_lists_and_files(
    sounds: np.ndarray, tmp_path: Path
) -> None:
    embedding = SceneEmbedding("untrained", preset="paper", sample_rate=RATE)
    expected = get_scene_embeddings(
        torch.from_numpy(sounds), load_model("untrained", preset="paper", sample_rate=RATE)
    ).numpy()
    paths = [tmp_path / f"{i}.wav" for i in range(len(sounds))]
    for path, sound in zip(paths, sounds, strict=True):
        soundfile.write(path, sound, RATE, subtype="FLOAT")
    for X in (sounds, list(sounds), paths, [str(path) for path in paths]):
        found = embedding.fit_transform(X)
        assert found.dtype == np.float32
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=network_rounding() * expected.max()
        )
    names = embedding.get_feature_names_out()
    assert (len(names), names[17]) == (1024, "conv7_mean_17")


def test_a_pipeline_is_cloned_searched_and_pickled(sounds: np.ndarray) -> None:
    pipeline = Pipeline(
        [
            ("embed", SceneEmbedding("untrained", sample_rate=RATE)),
            ("classify", LogisticRegression()),
        ]
    )
    search = GridSearchCV(
        clone(pipeline),
        {"embed__scene": ["conv4", "conv5:mean,std"], "classify__C": [1.0, 10.0]},
        cv=2,
    )
    labels = np.arange(len(sounds)) % 2
    search.fit(sounds, labels)
    assert search.best_score_ == 1
    again = pickle.loads(pickle.dumps(search.best_estimator_))  # noqa: S301
    assert (again.predict(sounds) == labels).all()


def test_wrong_parameters_are_named_when_it_is_fitted(sounds: np.ndarray) -> None:
    with pytest.raises(ValueError, match="unknown stage 'conv9'"):
        SceneEmbedding(scene="conv9").fit(sounds)
