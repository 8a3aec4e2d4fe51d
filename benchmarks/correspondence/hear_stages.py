"""Any module with the HEAR API: its scene embedding, and the mean of its timestamp embeddings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.correspondence.stages import Frames
from benchmarks.hear.model_identity import identify

BATCH_SIZE = 16


class HearStages:
    """Two stages, "timestamps" (averaged over time) and "scene".

    Parameters
    ----------
    module : str
        Import name of a module with the HEAR API.
    checkpoint : str
        Path of a weight file or a name accepted by its ``load_model``; "" for its default.
    options : mapping, optional
        Keywords for ``load_model``.

    Raises
    ------
    ValueError
        If there is no such module, it lacks the HEAR API, its model cannot be loaded, or its
        embeddings differ from the declared sizes.

    Examples
    --------
    >>> model = HearStages("benchmarks.hear.logmel", options={"sample_rate": 16_000})
    >>> {stage: table.shape[1] for stage, table in model.activations(torch.zeros(1, 16000)).items()}
    {'timestamps': 128, 'scene': 256}
    """

    stages = ("timestamps", "scene")

    def __init__(
        self, module: str, checkpoint: str = "", options: Mapping[str, Any] | None = None
    ) -> None:
        found = identify(module, checkpoint, options)
        self.api = importlib.import_module(module)
        weights = (found.weights_file,) if found.weights_file else ()
        self.model = self.api.load_model(*weights, **found.options)
        self.name = found.label
        self.sample_rate = found.sample_rate
        self.identity = "-".join(found.folder.parts)

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        parts: dict[str, list[Tensor]] = {stage: [] for stage in self.stages}
        for some in audio.split(BATCH_SIZE):
            frames, _ = self.api.get_timestamp_embeddings(some, self.model)
            scene = self.api.get_scene_embeddings(some, self.model)
            parts["timestamps"].append(frames.float().mean(dim=1).cpu())
            parts["scene"].append(scene.float().cpu())
        return {stage: torch.cat(tables) for stage, tables in parts.items()}

    @torch.no_grad()
    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`; not available for the scene embedding."""
        if stage != "timestamps":
            raise ValueError(f"{self.name}: stage {stage} has no times, use timestamps")
        frames, milliseconds = self.api.get_timestamp_embeddings(audio[None], self.model)
        return Frames(frames[0].float().cpu(), milliseconds[0].double().cpu() / 1000)
