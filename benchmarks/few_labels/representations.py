"""Representations of clips by few numbers: predicted brain components, and their controls.

All are linear functions of a scene embedding, fitted to the 165 sounds with measured responses and
applied to other clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hear_brainsoundnet
from benchmarks.correspondence.data import natsound165_components
from benchmarks.correspondence.ridge import fit_ridge
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint.components import unit_scales
from benchmarks.hear.tasks.natsound165_categories import FOLDER, sound_categories

BRAIN, COMPONENTS, WHOLE = "brain", "components", "whole"
NULLS = ("permuted", "permuted within categories")

Table = NDArray[np.float64]


def predicted_components(known: Table, responses: Table, clips: Table) -> Table:
    """Responses predicted by ridge regression, ``(n_clips, n_components)``.

    The penalty of each component minimises its leave-one-out error
    (:mod:`benchmarks.correspondence.ridge`).

    Parameters
    ----------
    known : ndarray
        Scene embeddings of the sounds with responses, ``(n_sounds, D)``.
    responses : ndarray
        ``(n_sounds, n_components)``; many permutations side by side cost little more than one.
    clips : ndarray
        Scene embeddings of the clips, ``(n_clips, D)``.

    Examples
    --------
    >>> known = np.random.default_rng(0).standard_normal((30, 4))
    >>> found = predicted_components(known, 2 * known[:, :1] + 1, known[:2])
    >>> np.allclose(found, 2 * known[:2, :1] + 1, atol=1e-6)
    True
    """
    n_known = len(known)
    units = np.concatenate([known, clips]) / unit_scales(known)
    split = Split(np.arange(n_known), np.arange(n_known, len(units)))
    padded = np.concatenate([responses, np.zeros((len(clips), responses.shape[1]))])
    fit = fit_ridge(units, padded, split)
    return fit.predicted + fit.train_means


def principal_components(known: Table, clips: Table, n: int) -> Table:
    """The first `n` principal components of the known sounds, for clips, ``(n_clips, n)``."""
    scales = unit_scales(known)
    mean = known.mean(axis=0)
    _, _, directions = np.linalg.svd((known - mean) / scales, full_matrices=False)
    found: Table = ((clips - mean) / scales) @ directions[:n].T
    return found


def permutations(
    n: int, generator: np.random.Generator, n_permutations: int, groups: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Random orders of `n` rows, ``(n_permutations, n)``; with groups only within each.

    Examples
    --------
    >>> order = permutations(4, np.random.default_rng(0), 3, ["a", "a", "b", "b"])
    >>> np.sort(order[:, :2]).tolist()
    [[0, 1], [0, 1], [0, 1]]
    """
    orders = np.tile(np.arange(n), (n_permutations, 1))
    labels = np.zeros(n, dtype=int) if groups is None else np.unique(groups, return_inverse=True)[1]
    for order in orders:
        for label in np.unique(labels):
            own = np.flatnonzero(labels == label)
            order[own] = generator.permutation(own)
    return orders


@dataclass
class Brain:
    """The 165 sounds: scene embeddings, responses, and categories, in one order."""

    scene: Table
    responses: Table
    categories: list[str]

    def half(self, rows: NDArray[np.intp]) -> Brain:
        """Some of the sounds."""
        return Brain(self.scene[rows], self.responses[rows], [self.categories[i] for i in rows])

    def representations(self, clips: Table, n_permutations: int, seed: int) -> dict[str, Table]:
        """Each representation of clips, ``(n_clips, size)``; for nulls ``(n, n_clips, 6)``."""
        n_sounds, n_components = self.responses.shape
        tables = [self.responses]
        for groups in (None, self.categories):
            generator = np.random.default_rng(seed)
            orders = permutations(n_sounds, generator, n_permutations, groups)
            tables += [self.responses[order] for order in orders]
        predicted = predicted_components(self.scene, np.concatenate(tables, axis=1), clips)
        each = predicted.reshape(len(clips), len(tables), n_components).transpose(1, 0, 2)
        return {
            BRAIN: each[0],
            COMPONENTS: principal_components(self.scene, clips, n_components),
            WHOLE: clips,
            NULLS[0]: each[1 : 1 + n_permutations],
            NULLS[1]: each[1 + n_permutations :],
        }


def read_brain(checkpoint: str, data: Path) -> Brain:
    """The 165 sounds, embedded by a checkpoint with the default preset."""
    folder = data / FOLDER
    responses = natsound165_components(folder)
    categories = dict(sound_categories(folder))
    model = hear_brainsoundnet.load_model(checkpoint)
    scenes = []
    for name in responses.sounds:
        found = hear_brainsoundnet.embed_file(
            folder / "sounds" / f"{name}.wav", model, timestamps=False
        )
        assert found.scene is not None
        scenes.append(found.scene.numpy())
    return Brain(
        np.stack(scenes).astype(np.float64),
        np.asarray(responses.responses[0], dtype=np.float64),
        [categories[name] for name in responses.sounds],
    )
