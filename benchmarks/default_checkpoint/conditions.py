"""Alignment targets: the brain, and three controls."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.correspondence.activations import activations_on
from benchmarks.correspondence.baselines.spectrotemporal import SpectroTemporal
from benchmarks.correspondence.natsound165 import components
from benchmarks.default_checkpoint.sounds import NaturalSounds
from benchmarks.encoding.natsound165 import FOLDER
from training.data.prepared import Prepared
from training.prepare.preparation import PrepareRecipe, prepare

Condition = Literal["brain", "permuted brain", "SpectroTemporal"]
CONDITIONS: tuple[Condition, ...] = ("brain", "permuted brain", "SpectroTemporal")


def averaged_name(condition: Condition, share: float) -> str:
    """Name in the results of a condition's network, averaged with the initial one.

    Examples
    --------
    >>> averaged_name("brain", 0.5)
    'brain, share 0.5'
    """
    return f"{condition}, share {share:g}"


def prepare_condition(
    condition: Condition, sounds: NaturalSounds, data: Path, work: Path
) -> Prepared:
    """The dataset of a condition.

    The permuted brain uses the brain's dataset; the fit permutes the responses. The responses of
    "SpectroTemporal" are principal components of that baseline, as many as the brain has components
    and with the brain's variances: a description of the sounds independent of any brain.

    Parameters
    ----------
    condition : str
    sounds : NaturalSounds
        With the brain's responses.
    data : Path
        Folder of the real recordings.
    work : Path
        Folder for prepared data.
    """
    if condition != "SpectroTemporal":
        return sounds.prepared
    folder = data / FOLDER
    targets = components(folder)
    model = SpectroTemporal()
    activations = activations_on(model, targets.sounds, targets.read, work / "activations")
    table = np.asarray(activations[model.stages[0]], np.float64)
    left, _, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    n_components = sounds.responses.shape[1]
    path = work / "spectrotemporal.npz"
    np.savez(
        path,
        R=left[:, :n_components] * np.sqrt(len(table)) * sounds.responses.std(axis=0),
        stim_names=np.array(targets.sounds),
        component_names=np.array([f"SpectroTemporal {i + 1}" for i in range(n_components)]),
    )
    source = {"kind": "sound_responses", "sounds": folder / "sounds", "table": path}
    recipe = {"name": "spectrotemporal", "out": work / "prepared-spectrotemporal", "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)
