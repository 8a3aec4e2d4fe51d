"""Models by name, for the command line, modules with the HEAR API, and any model at a level."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.correspondence.baselines.cochleagram import Cochleagram
from benchmarks.correspondence.baselines.log_mel import LogMel, ModulationSpectrum
from benchmarks.correspondence.baselines.spectrotemporal import SpectroTemporal
from benchmarks.correspondence.soundnet_stages import SoundNetStages, permuted_checkpoint
from benchmarks.correspondence.stages import Frames, StagedModel
from benchmarks.hear.model_identity import identify, load_identified
from hear_brainsoundnet import load_checkpoint
from hear_brainsoundnet.level import WINDOW_S, brought_to, check_level

BATCH_SIZE = 16  # of HEAR modules
SOUNDNET, PERMUTED = "soundnet", "permuted"
BASELINES: dict[str, Callable[[], StagedModel]] = {
    "cochleagram": Cochleagram,
    "spectrotemporal": SpectroTemporal,
    "log-mel": LogMel,
    "modulation-spectrum": ModulationSpectrum,
}
PERMUTATION_SEED = 0


class AtLevel:
    """A model with level normalisation of its input, as in presets of the embedding.

    Parameters
    ----------
    model : StagedModel
        The model; stages and sample rate are its own.
    level : float
        In (0, 1], as in :mod:`hear_brainsoundnet.level`.

    Examples
    --------
    >>> import torch
    >>> from benchmarks.correspondence.baselines.log_mel import LogMel
    >>> noise = torch.rand(1, 22050) - 0.5
    >>> activations = AtLevel(LogMel(), 0.07).activations(torch.cat([noise, noise / 8]))
    >>> bool(torch.allclose(*activations["mean and std"]))
    True
    """

    def __init__(self, model: StagedModel, level: float) -> None:
        self.level = check_level(level)
        if not self.level:
            raise ValueError("a level of 0 means no normalisation; use the model itself")
        self.model = model
        self.name = f"{model.name}, level {level:g}"
        self.sample_rate = model.sample_rate
        self.stages = model.stages
        self.identity = f"{model.identity} at level {level!r} within {WINDOW_S:g} s"

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        return self.model.activations(brought_to(self.level, audio, self.sample_rate))

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`."""
        return self.model.frames(brought_to(self.level, audio[None], self.sample_rate)[0], stage)


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
        self.api, self.model = load_identified(found)
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


def build_model(name: str, checkpoint: str = "") -> StagedModel:
    """A model by its name.

    Parameters
    ----------
    name : str
        "soundnet" or "permuted" (a checkpoint of this project and the same with permuted weights),
        one of :data:`BASELINES`, a network of :mod:`benchmarks.correspondence.external` by its name
        in the overview, or the import name of any module with the HEAR API.
    checkpoint : str
        Weights by path or by a name known to the model; "" for its default.

    Raises
    ------
    ValueError
        If there is no such model, or a baseline is given weights.

    Examples
    --------
    >>> build_model("log-mel").stages
    ('mean and std',)
    """
    if name in BASELINES:
        if checkpoint:
            raise ValueError(f"{name} has no weights, got {checkpoint!r}; leave --checkpoint out")
        return BASELINES[name]()
    if name == SOUNDNET:
        return SoundNetStages(load_checkpoint(checkpoint))
    if name == PERMUTED:
        whole = load_checkpoint(checkpoint)
        permuted = permuted_checkpoint(whole, PERMUTATION_SEED)
        return SoundNetStages(permuted, f"{whole.card.name}, weights permuted")
    from benchmarks.correspondence.external.overview import NETWORKS

    if name in NETWORKS:
        return NETWORKS[name].load(checkpoint or None)
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        known = ", ".join([SOUNDNET, PERMUTED, *BASELINES, *NETWORKS])
        raise ValueError(
            f"no model {name!r}: there are {known}, and any installed module with the HEAR API"
        )
    return HearStages(name, checkpoint)
