"""Scene embeddings as a step of a scikit-learn pipeline.

Only this module needs scikit-learn: ``from hear_brainsoundnet.estimator import SceneEmbedding``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from hear_brainsoundnet.api import embed_array, embed_file, load_model
from hear_brainsoundnet.embedding import EmbeddingModel

# Parameters of an estimator: checkpoint, preset, scene, level, device.
Settings = tuple[str, str, str | None, float | None, str]


class SceneEmbedding(TransformerMixin, BaseEstimator):
    """Transformer from audio to scene embeddings; nothing is fitted.

    The parameters are those of :func:`hear_brainsoundnet.load_model`, as plain values, so that
    ``clone`` and ``GridSearchCV`` work.

    Parameters
    ----------
    checkpoint : str
        A name or a path; "" for the default.
    preset, scene, level
        As for :func:`hear_brainsoundnet.load_model`.
    sample_rate : int
        Rate in Hz of samples given as arrays; files have their own.
    device : str
        Device of the network.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> sounds = 0.1 * np.random.default_rng(0).standard_normal((4, 16_000))
    >>> sounds[2:] = sounds[2:].cumsum(axis=1) / 10
    >>> pipeline = make_pipeline(SceneEmbedding(sample_rate=16_000), LogisticRegression())
    >>> pipeline.fit(sounds, [0, 0, 1, 1]).predict(sounds)
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        checkpoint: str = "",
        *,
        preset: str = "default",
        scene: str | None = None,
        level: float | None = None,
        sample_rate: int = 48_000,
        device: str = "cpu",
    ) -> None:
        self.checkpoint = checkpoint
        self.preset = preset
        self.scene = scene
        self.level = level
        self.sample_rate = sample_rate
        self.device = device

    def fit(self, X: object, y: object = None) -> SceneEmbedding:
        """Check the parameters; there is nothing to fit."""
        self.n_features_out_ = self._model().scene_embedding_size
        return self

    def transform(self, X: Sequence[str | os.PathLike[str] | ArrayLike] | NDArray) -> NDArray:
        """Scene embeddings, float32 ``(n_sounds, n_features_out_)``.

        Parameters
        ----------
        X : sequence
            Paths of audio files, or clips as arrays: ``(n_samples,)`` each, of any length, or
            ``(n_channels, n_samples)``; an array ``(n_sounds, n_samples)`` is a sequence, too.

        Raises
        ------
        TypeError, ValueError, OSError
            As for :func:`hear_brainsoundnet.embed_file` and :func:`hear_brainsoundnet.embed_array`.
        """
        model = self._model()
        rows = []
        for sound in X:
            if isinstance(sound, str | os.PathLike):
                found = embed_file(sound, model, timestamps=False)
            else:
                found = embed_array(np.asarray(sound), self.sample_rate, model, timestamps=False)
            assert found.scene is not None
            rows.append(found.scene.detach().cpu().numpy())
        return np.stack(rows) if rows else np.empty((0, model.scene_embedding_size), np.float32)

    def get_feature_names_out(self, input_features: object = None) -> NDArray:
        """Names such as ``conv4_mean_17``."""
        model = self._model()
        return np.array(
            [
                f"{term.stage}_{pooling}_{channel}"
                for term in model.scene_terms
                for pooling in term.poolings
                for channel in range(model.stages[term.stage].channels)
            ],
            dtype=object,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _model(self) -> EmbeddingModel:
        return _loaded((str(self.checkpoint), self.preset, self.scene, self.level, self.device))


@lru_cache(maxsize=4)
def _loaded(settings: Settings) -> EmbeddingModel:
    """The model, cached: the folds and clones of a grid search would otherwise reload it."""
    checkpoint, preset, scene, level, device = settings
    model = load_model(checkpoint, preset=preset, scene=scene, level=level)
    return model.to(torch.device(device))
