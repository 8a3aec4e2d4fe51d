"""Cache of the frozen part of a network, computed once per stimulus.

Everything below the first trained stage gives the same frames in every epoch. They are computed
when a stimulus is first used, in segments that join exactly, and kept: 11 kB per second of audio
when training begins at conv4, 88 kB at conv2, 3 kB for a frozen conv7. Windows then start from
these frames instead of the audio, with the same result. If the whole dataset would exceed
:data:`MOST_KEPT`, nothing is kept, and windows start from the audio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
from hear_brainsoundnet.soundnet import SoundNet
from hear_brainsoundnet.streaming import stream_frames
from training.data.prepared import INT16_SCALE, Prepared

MOST_KEPT = 4_000_000_000  # bytes: 100 hours from conv4, 12 from conv2
SAMPLES_PER_PASS = 2**18  # about 12 s: longer passes leave the processor's cache


class FrozenStages:
    """Frames of the deepest frozen stage.

    Parameters
    ----------
    encoder : BrainEncoder
        The model; its frozen stages must be in evaluation mode.
    stage : str
        The deepest frozen stage.
    prepared : Prepared
        Dataset with the stimuli.
    input_scale : float
        Factor applied to audio in [-1, 1].
    """

    def __init__(
        self, encoder: BrainEncoder, stage: str, prepared: Prepared, input_scale: float
    ) -> None:
        self.encoder = encoder
        self.soundnet = FastSoundNet(encoder.soundnet)
        self.stage: StageGeometry = stage_geometry(encoder.soundnet.layers)[stage]
        self.prepared = prepared
        self.scale = input_scale / INT16_SCALE
        self._frames: dict[str, Tensor] = {}

    def frames(self, stimulus: str) -> Tensor:
        """Frames of a whole stimulus, ``(channels, n_frames)``."""
        if stimulus not in self._frames:
            self._frames[stimulus] = self._compute(self.prepared.audio(stimulus))
        return self._frames[stimulus]

    def _compute(self, audio: np.ndarray) -> Tensor:
        device = next(self.encoder.parameters()).device

        def read(start: int, stop: int) -> Tensor:
            piece = torch.from_numpy(audio[start:stop].astype(np.float32)) * self.scale
            return F.pad(piece, (0, stop - start - len(piece)))[None].to(device)

        n_samples = max(len(audio), self.encoder.stage.shortest_input())
        return frames_in_pieces(self.soundnet, self.stage, n_samples, read)[0].cpu()


def frames_fit(stage: StageGeometry, prepared: Prepared, stimuli: Iterable[str]) -> bool:
    """Whether a stage's frames of all these stimuli fit in the memory limit."""
    n_samples = sum(len(prepared.audio(stimulus)) for stimulus in set(stimuli))
    return 4 * stage.channels * n_samples / stage.hop <= MOST_KEPT


def deepest_frozen_stage(encoder: BrainEncoder) -> StageGeometry | None:
    """The deepest stage, up to the first one read, without trained parameters in it or below it.

    None if conv1 is trained.

    Examples
    --------
    >>> from hear_brainsoundnet.encoder import ReadOut
    >>> encoder = BrainEncoder(SoundNet(), ReadOut("conv7", 1, 1.0, "crop", (1,), ("group",)))
    >>> deepest_frozen_stage(encoder)
    >>> for name in ("conv1", "conv2"):
    ...     _ = encoder.soundnet.block(name).requires_grad_(False)
    >>> deepest_frozen_stage(encoder).name
    'pool2'
    """
    deepest = None
    for name, stage in stage_geometry(encoder.soundnet.layers).items():
        block = encoder.soundnet.block(name.replace("pool", "conv"))
        if any(parameter.requires_grad for parameter in block.parameters()):
            break
        deepest = stage
        if name in encoder.read_out.stages:
            break
    return deepest


@torch.no_grad()
def frames_in_pieces(
    network: SoundNet | FastSoundNet,
    stage: StageGeometry,
    n_samples: int,
    read: Callable[[int, int], Tensor],
) -> Tensor:
    """Frames of a frozen stage.

    Equal, up to rounding, to those of the plain network on the whole clip.

    Parameters
    ----------
    network : SoundNet or FastSoundNet
        In evaluation mode up to the stage.
    stage : StageGeometry
        The stage.
    n_samples : int
        Length of each clip.
    read : callable
        Samples `start` to `stop` of all clips, ``(n_sounds, stop - start)``, at the network's
        amplitude scale.

    Returns
    -------
    Tensor
        ``(n_sounds, channels, n_frames)``.
    """
    pieces = stream_frames(network, [stage], n_samples, read, SAMPLES_PER_PASS)
    return torch.cat([frames[stage.name].values for frames in pieces], dim=2)
