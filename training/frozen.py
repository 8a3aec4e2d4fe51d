"""The frozen part of a network, computed once for each stimulus.

What lies below the first stage that learns gives the same frames in every epoch. They are computed
when a stimulus is first heard, in pieces that join exactly, and kept: 11 kB per second of sound
when training begins at conv4, 44 kB at conv2, 3 kB for a frozen conv7. Windows then begin at these
frames instead of at the sound, and give the same numbers.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.fast import fastest
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
from hear_brainsoundnet.soundnet import SoundNet
from hear_brainsoundnet.streaming import segments
from training.prepared import INT16_SCALE, Prepared

SAMPLES_PER_PASS = 2**18  # about 12 s: longer passes leave the processor's cache


class FrozenStages:
    """Frames of the deepest frozen stage.

    Parameters
    ----------
    encoder : BrainEncoder
        The model; its frozen stages must be in evaluation mode, as they always are here.
    stage : str
        The deepest frozen stage.
    prepared : Prepared
        Where the sounds are.
    input_scale : float
        Audio within [-1, 1] is multiplied by this.
    """

    def __init__(
        self, encoder: BrainEncoder, stage: str, prepared: Prepared, input_scale: float
    ) -> None:
        self.encoder = encoder
        self.soundnet = fastest(encoder.soundnet)
        self.stage: StageGeometry = stage_geometry(encoder.soundnet.layers)[stage]
        self.prepared = prepared
        self.scale = input_scale / INT16_SCALE
        self._frames: dict[str, Tensor] = {}

    def frames(self, stimulus: str) -> Tensor:
        """Of a whole stimulus, ``(channels, n_frames)``."""
        if stimulus not in self._frames:
            self._frames[stimulus] = self._compute(self.prepared.audio(stimulus))
        return self._frames[stimulus]

    @torch.no_grad()
    def _compute(self, audio: np.ndarray) -> Tensor:
        device = next(self.encoder.parameters()).device
        n_samples = max(len(audio), self.encoder.stage.shortest_input())
        pieces = []
        for segment in segments(n_samples, [self.stage], SAMPLES_PER_PASS):
            piece = torch.from_numpy(audio[segment.start : segment.stop].astype(np.float32))
            piece = F.pad(piece * self.scale, (0, segment.stop - segment.start - len(piece)))
            frames = self.soundnet(piece[None].to(device), [self.stage.name])
            pieces.append(frames[self.stage.name][0, :, segment.kept[self.stage.name]].cpu())
        return torch.cat(pieces, dim=1)


def deepest_without_gradient(encoder: BrainEncoder) -> StageGeometry | None:
    """The last stage up to the one that is read which nothing that learns lies below, or None."""
    soundnet = encoder.soundnet
    deepest = None
    for name, stage in stage_geometry(soundnet.layers).items():
        block = soundnet.block(name.replace("pool", "conv"))
        if any(parameter.requires_grad for parameter in block.parameters()):
            break
        deepest = stage
        if name == encoder.stage.name:
            break
    return deepest


@torch.no_grad()
def frames_in_pieces(soundnet: SoundNet, stage: StageGeometry, sound: Tensor) -> Tensor:
    """Frames of a stage that does not learn, for sounds whose frames cannot be kept.

    The same frames, but for rounding, as those of the plain network and the whole at once.

    Parameters
    ----------
    soundnet : SoundNet
        In evaluation mode up to the stage.
    stage : StageGeometry
        Which one.
    sound : Tensor
        ``(n_sounds, n_samples)``, at the network's amplitude scale.

    Returns
    -------
    Tensor
        ``(n_sounds, channels, n_frames)``.
    """
    network, pieces = fastest(soundnet), []
    for segment in segments(sound.shape[1], [stage], SAMPLES_PER_PASS):
        frames = network(sound[:, segment.start : segment.stop], [stage.name])[stage.name]
        pieces.append(frames[:, :, segment.kept[stage.name]])
    return torch.cat(pieces, dim=2)
