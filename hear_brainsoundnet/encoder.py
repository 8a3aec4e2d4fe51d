"""BrainEncoder: SoundNet with a temporal read-out that predicts fMRI.

For target `v` at TR `i` the prediction is

    y[i, v] = bias[v] + sum_d sum_c weight[v, c, K - 1 - d] * x[i - d, c],   d = 0 .. K - 1,

where `x` are the activations of one stage on the grid of TRs and K is the number of delays: a
causal finite impulse response, that is a haemodynamic response learned for each target and channel.
There is nothing before the first TR, so delays never reach into another run.

A read-out of rank R has weights that are a product of R components (channels and delays) and their
loadings on the targets: for tens of thousands of voxels a hundredth of the numbers.

Frames are mapped to TRs in one of three ways:

- ``"interpolate"``: the activations at the onset of each TR, interpolated linearly between frame
  centres, for any TR;
- ``"crop"``: frame `i` is used for TR `i`, as in the published models (Freteault et al. 2025),
  whose TR of 1.49 s is close to conv7's hop of 1.486 s;
- ``"mean"``: responses without a time axis, one per stimulus. There is a single row, predicted from
  the mean over the frames whose centres lie within the stimulus, and a single delay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.geometry import StageGeometry, frames_at, stage_geometry
from hear_brainsoundnet.soundnet import ByName, SoundNet

TR_SAMPLINGS = ("interpolate", "crop", "mean")
POWER_TRANSFORMS = ("none", "sqrt")
# Names of read-outs and hence of subjects: parts of tensor names, which are separated by dots.
READ_OUT_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class ReadOut:
    """Specification of a read-out; its weights are tensors of the checkpoint.

    Attributes
    ----------
    stage : str
        Stage whose activations are the features; several side by side as ``"conv5+conv7"``.
    n_delays : int
        K, the number of TRs that one prediction depends on (its own included).
    tr : float
        Repetition time in seconds; 0 for ``tr_sampling="mean"``, which has no time axis.
    tr_sampling : str
        {"interpolate", "crop", "mean"}: how frames are mapped to TRs.
    power_transform : str
        {"none", "sqrt"}: applied to the activations.
    target_ids : tuple of int
        Atlas ids of the targets, ascending; the order of the output columns.
    target_names : tuple of str
        One per target, or empty.
    atlas : str
        Name of the atlas of the ids, or empty if unknown.
    names : tuple of str
        One set of weights each: a subject, or "group" for weights shared by subjects.
    subjects : tuple of str
        Subjects that the read-out was fitted to.
    rank : int or None
        Rank of the weights, those of all channels and delays of a target being a row; None for full
        weights.
    """

    stage: str
    n_delays: int
    tr: float
    tr_sampling: str
    target_ids: tuple[int, ...]
    names: tuple[str, ...]
    power_transform: str = "none"
    target_names: tuple[str, ...] = ()
    atlas: str = ""
    subjects: tuple[str, ...] = ()
    rank: int | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in the order of the features."""
        return tuple(self.stage.split("+"))

    def head_for(self, subject: str) -> str | None:
        """The weights that predict a subject: its own, else the only ones; None if neither exist.

        Examples
        --------
        >>> group = ReadOut("conv7", 5, 1.49, "crop", (1,), names=("group",))
        >>> both = ReadOut("conv7", 5, 1.49, "crop", (1,), names=("sub-01", "sub-02"))
        >>> group.head_for("sub-02"), both.head_for("sub-02"), both.head_for("sub-03")
        ('group', 'sub-02', None)
        """
        if subject in self.names:
            return subject
        return self.names[0] if len(self.names) == 1 else None


def new_head(n_channels: int, read_out: ReadOut) -> nn.Module:
    """The weights of one read-out: a convolution over TRs, or for a rank R one with R outputs,
    followed by one that maps these to the targets."""
    n_targets, n_delays = len(read_out.target_ids), read_out.n_delays
    if read_out.rank is None:
        return nn.Conv1d(n_channels, n_targets, n_delays)
    return nn.Sequential(
        nn.Conv1d(n_channels, read_out.rank, n_delays, bias=False),
        nn.Conv1d(read_out.rank, n_targets, 1),
    )


def output_layer(head: nn.Module) -> nn.Conv1d:
    """The layer of a head whose rows are targets."""
    layer = head[-1] if isinstance(head, nn.Sequential) else head
    assert isinstance(layer, nn.Conv1d)
    return layer


def averaged_frames(stage: StageGeometry, n_samples: int, n_frames: int) -> range:
    """The frames that ``tr_sampling="mean"`` averages, of the `n_frames` of a clip of `n_samples`.

    Those whose centres lie within the clip; the last one if the clip is too short to have any.
    """
    within = stage.frames_within(n_samples)
    return range(within.start, min(within.stop, n_frames)) or range(n_frames - 1, n_frames)


class BrainEncoder(nn.Module):
    """Encoding model: predicts fMRI responses from audio.

    Parameters
    ----------
    soundnet : SoundNet
        The network that provides the features.
    read_out : ReadOut
        Specification of the read-out.
    sample_rate : int
        Rate of the network's audio in Hz.

    Raises
    ------
    ValueError
        If the read-out names a stage that the network does not have, or one twice.

    Examples
    --------
    >>> read_out = ReadOut("conv7", 5, 1.49, "crop", target_ids=(1, 2, 3), names=("sub-01",))
    >>> encoder = BrainEncoder(SoundNet(), read_out).eval()
    >>> encoder(torch.zeros(1, 22050 * 15), n_trs=10).shape
    torch.Size([1, 10, 3])
    """

    def __init__(self, soundnet: SoundNet, read_out: ReadOut, sample_rate: int = 22_050) -> None:
        super().__init__()
        stages = stage_geometry(soundnet.layers)
        for name in read_out.stages:
            if name not in stages or read_out.stages.count(name) > 1:
                raise ValueError(
                    f"the read-out reads stage {read_out.stage!r}; the network has "
                    f"{', '.join(stages)}, of which it may read several, each once"
                )
        if read_out.tr_sampling == "crop" and len(read_out.stages) > 1:
            raise ValueError(
                f"tr_sampling crop takes a frame of one stage for a TR, got {read_out.stage}; "
                "frames of several stages need tr_sampling interpolate"
            )
        self.soundnet = soundnet
        self.read_out = read_out
        self.sample_rate = sample_rate
        self.stages = tuple(stages[name] for name in read_out.stages)
        # The deepest has the largest hop and receptive field, and bounds what the others need.
        self.stage = max(self.stages, key=lambda stage: stage.receptive_field)
        n_channels = sum(stage.channels for stage in self.stages)
        self.heads = ByName({name: new_head(n_channels, read_out) for name in read_out.names})

    def forward(
        self, audio: Tensor, n_trs: int, *, start: float = 0.0, name: str | None = None
    ) -> Tensor:
        """Predicted responses, shape ``(n_sounds, n_trs, n_targets)``.

        Parameters
        ----------
        audio : Tensor
            Shape ``(n_sounds, n_samples)``, at the network's rate and amplitude scale.
        n_trs : int
            Number of TRs to predict.
        start : float
            Onset of TR 0 in seconds of the audio (for ``tr_sampling="interpolate"``).
        name : str, optional
            Weights to use; the first ones by default.
        """
        return self.respond(self.features(audio, n_trs, start=start), name)

    def features(self, audio: Tensor, n_trs: int, *, start: float = 0.0) -> Tensor:
        """Features of the read-out: activations on the TR grid, ``(n_sounds, n_trs, channels)``.

        `audio`, `n_trs` and `start` as in :meth:`forward`.
        """
        found = self.soundnet(audio, self.read_out.stages)
        return self._features(found, audio.shape[-1], n_trs, start)

    def features_from(
        self, stage: str, known: Tensor, n_samples: int, n_trs: int, *, start: float = 0.0
    ) -> Tensor:
        """As :meth:`features`, from the activations of a lower stage instead of audio.

        `known` are the activations ``(n_sounds, channels, n_frames)`` of `stage`, at or below all
        stages of the read-out, computed from audio of `n_samples`.
        """
        found = self.soundnet.continue_from(stage, known, self.read_out.stages)
        return self._features(found, n_samples, n_trs, start)

    def transformed(self, frames: Tensor) -> Tensor:
        """Frames of a stage with the read-out's power transform applied."""
        return frames.sqrt() if self.read_out.power_transform == "sqrt" else frames

    def respond(self, features: Tensor, name: str | None = None) -> Tensor:
        """Predictions from features, ``(n_sounds, n_trs, channels)`` to ``(..., n_targets)``."""
        delayed = F.pad(features.transpose(1, 2), (self.read_out.n_delays - 1, 0))
        return self.heads[name or self.read_out.names[0]](delayed).transpose(1, 2)

    def _features(
        self, found: Mapping[str, Tensor], n_samples: int, n_trs: int, start: float
    ) -> Tensor:
        """Activations of the stages, side by side on the TR grid."""
        parts = [
            self._on_tr_grid(stage, self.transformed(found[stage.name]), n_samples, n_trs, start)
            for stage in self.stages
        ]
        return torch.cat(parts, dim=1).transpose(1, 2)

    def _on_tr_grid(
        self, stage: StageGeometry, frames: Tensor, n_samples: int, n_trs: int, start: float
    ) -> Tensor:
        """Frames ``(n_sounds, channels, n_frames)`` to ``(n_sounds, channels, n_trs)``."""
        n_frames = frames.shape[2]
        if self.read_out.tr_sampling == "mean":
            if n_trs != 1:
                raise ValueError(f"sound responses have one row, {n_trs} were requested")
            within = averaged_frames(stage, n_samples, n_frames)
            return frames[:, :, within.start : within.stop].mean(dim=2, keepdim=True)
        if self.read_out.tr_sampling == "crop":
            if n_frames < n_trs:
                raise ValueError(
                    f"{n_trs} TRs were requested, the audio yields {n_frames} frames of "
                    f"{stage.name}; give longer audio or request fewer TRs"
                )
            return frames[:, :, :n_trs]
        onsets = start + torch.arange(n_trs, dtype=torch.float64) * self.read_out.tr
        features = frames_at(frames.transpose(1, 2), stage, onsets * self.sample_rate)
        return features.transpose(1, 2)
