"""Fits of an experiment: run, reloaded, and exported as working checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.prepared import Run
from training.fitting.assembly import Parts, assemble
from training.fitting.export import export
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.fitting.ridge_start import delayed, solve_read_out
from training.fitting.run_folder import Epoch, RunFolder

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """A finished fit."""

    recipe: FitRecipe
    folder: Path
    history: tuple[Epoch, ...]
    best_epoch: int

    @property
    def validation_r(self) -> float:
        """Mean over validation runs and targets, with the selected weights."""
        return self.history[self.best_epoch].validation_r

    def parts(self) -> Parts:
        """Data and model, with the selected weights."""
        parts = assemble(self.recipe)
        state = RunFolder(self.folder).read_state()
        assert state is not None
        parts.encoder.load_state_dict(state.best)
        return parts


def fitted(recipe: FitRecipe, folder: Path, *, progress: bool = False) -> Fitted:
    """Fit into a folder; a finished fit of the same recipe is reused."""
    fit(recipe, folder, resume=True, progress=progress)
    state = RunFolder(folder).read_state()
    assert state is not None
    return Fitted(recipe, folder, tuple(state.history), state.best_epoch)


def ridge_predictions(
    runs: Sequence[Run],
    features: Sequence[Table],
    responses: Sequence[Table],
    heard: Sequence[Table],
    n_delays: int,
) -> list[Table]:
    """Predictions from other features than a network's, by the ridge regression of read-outs.

    Parameters
    ----------
    runs, features, responses
        As for :func:`training.fitting.ridge_start.solve_read_out`, of the training runs.
    heard : sequence of array
        Features of the runs to predict, ``(n_trs, n_channels)``.
    n_delays : int
        Number of TRs that a prediction depends on, its own included.
    """
    head = nn.Conv1d(features[0].shape[1], responses[0].shape[1], n_delays)
    solve_read_out(head, runs, features, responses)
    assert head.bias is not None
    with torch.no_grad():
        kernel = head.weight.permute(2, 1, 0).flatten(0, 1).numpy()
        bias = head.bias.numpy()
    return [delayed(table, n_delays) @ kernel + bias for table in heard]


def checkpoint_of(run: Fitted, out: Path, name: str) -> dict[str, Any]:
    """Export a fit, load the checkpoint, and embed noise with it.

    Raises
    ------
    ValueError
        If an embedding is not finite or not of the declared size.
    """
    import hear_brainsoundnet as hear

    digest = export(run.folder, out, name=name)
    model = hear.load_model(str(out))
    noise = torch.randn(2, 2 * model.sample_rate, generator=torch.Generator().manual_seed(0)) / 10
    scene = hear.get_scene_embeddings(noise, model)
    frames, times = hear.get_timestamp_embeddings(noise, model)
    if (
        scene.shape != (2, model.scene_embedding_size)
        or frames.shape != (*times.shape, model.timestamp_embedding_size)
        or not all(bool(tensor.isfinite().all()) for tensor in (scene, frames, times))
    ):
        raise ValueError(f"{out}: embeddings of shape {scene.shape} and {frames.shape} are invalid")
    return {"name": name, "hash": digest, "scene": list(scene.shape), "frames": list(frames.shape)}
