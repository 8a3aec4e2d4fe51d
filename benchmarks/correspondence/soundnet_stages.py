"""The stages of a SoundNet checkpoint, and a checkpoint with permuted weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.correspondence.stages import Frames
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.geometry import stage_geometry

# The statistics of a channel are permuted together: a variance paired with another mean would scale
# single channels by orders of magnitude.
TOGETHER = ("running_mean", "running_var")


class SoundNetStages:
    """All stages of a checkpoint, a :class:`~benchmarks.correspondence.stages.StagedModel`.

    "conv" stages are taken after the ReLU, "pool" stages after the pooling; a unit is a channel.
    Short sounds are zero-padded until the last stage has a frame.

    Parameters
    ----------
    checkpoint : Checkpoint
        From :func:`hear_brainsoundnet.load_checkpoint`.
    name : str, optional
        Name in the tables; by default the checkpoint's name.

    Examples
    --------
    >>> from hear_brainsoundnet import load_checkpoint
    >>> model = SoundNetStages(load_checkpoint("untrained"))
    >>> activations = model.activations(torch.zeros(2, 22050))
    >>> activations["pool5"].shape, len(model.stages)
    (torch.Size([2, 256]), 10)
    """

    def __init__(self, checkpoint: Checkpoint, name: str | None = None) -> None:
        self.checkpoint = checkpoint
        self.name = name or checkpoint.card.name
        self.sample_rate = checkpoint.card.sample_rate
        self.soundnet = checkpoint.build_soundnet().requires_grad_(False)
        self.stages: tuple[str, ...] = self.soundnet.stage_names
        self.identity = checkpoint.hash
        self._shortest = max(
            stage.shortest_input() for stage in stage_geometry(self.soundnet.layers).values()
        )

    @torch.no_grad()
    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        audio = F.pad(audio, (0, max(0, self._shortest - audio.shape[1])))
        frames = self.soundnet(audio * self.checkpoint.card.input_scale, self.stages)
        return {stage: frames[stage].mean(dim=2) for stage in self.stages}

    @torch.no_grad()
    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`: the frames whose centre lies within the sound."""
        model = EmbeddingModel(
            self.checkpoint, sample_rate=self.sample_rate, timestamps=stage, level=0
        )
        embeddings = model.embed_tensor(audio[None], scene=False)
        assert embeddings.timestamps is not None
        values = embeddings.timestamps[0]
        geometry = model.grid
        numbers = geometry.frames_within(len(audio))
        centres = torch.arange(numbers.start, numbers.stop, dtype=torch.float64)
        return Frames(values, (geometry.centre + centres * geometry.hop) / self.sample_rate)


def permuted_tensors(tensors: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """Weights permuted within each tensor, the control of Tuckute et al.

    Every weight, bias and BatchNorm parameter keeps its values but not their order; running means
    and variances of a layer are permuted together. Information in the distribution of a stage's
    weights is kept, that in their arrangement is lost.

    Parameters
    ----------
    tensors : mapping
        By name, as in ``module.state_dict()``; integer tensors are unchanged.
    seed : int
        Equal seeds give equal permutations.

    Examples
    --------
    >>> tensors = {"a.weight": torch.arange(6.0).reshape(2, 3)}
    >>> permuted = permuted_tensors(tensors)["a.weight"]
    >>> permuted.shape, sorted(permuted.flatten().tolist())
    (torch.Size([2, 3]), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    """
    generator = torch.Generator().manual_seed(seed)
    permuted: dict[str, Tensor] = {}
    orders: dict[str, Tensor] = {}
    for name in sorted(tensors):
        tensor = tensors[name]
        if not tensor.is_floating_point():
            permuted[name] = tensor.clone()
            continue
        layer, _, kind = name.rpartition(".")
        order = orders.get(layer) if kind in TOGETHER else None
        if order is None:
            order = torch.randperm(tensor.numel(), generator=generator)
            if kind in TOGETHER:
                orders[layer] = order
        permuted[name] = tensor.flatten()[order].reshape(tensor.shape)
    return permuted


def permuted_checkpoint(checkpoint: Checkpoint, seed: int = 0) -> Checkpoint:
    """A checkpoint with weights permuted within each tensor; its hash depends on the seed."""
    digest = hashlib.sha256(f"{checkpoint.hash} permuted with seed {seed}".encode()).hexdigest()
    return Checkpoint(checkpoint.card, permuted_tensors(checkpoint.tensors, seed), digest)
