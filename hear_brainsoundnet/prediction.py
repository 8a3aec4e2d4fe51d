"""Responses predicted by a checkpoint's read-out for any audio.

Audio is processed as for an embedding: resampled, scaled, padded if it is too short for one frame,
run in segments. Only the features needed for the TRs are kept, one row of channels each, and the
read-out's delays are applied to these rows. The result is that of the encoder on the whole clip,
while memory grows only with the number of TRs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import torch
from torch import Tensor

from hear_brainsoundnet.audio import Sound
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import SAMPLES_PER_PASS
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut, averaged_frames
from hear_brainsoundnet.front_end import FrontEnd
from hear_brainsoundnet.geometry import StageGeometry, frames_at
from hear_brainsoundnet.streaming import stream_frames


def build_encoder(checkpoint: Checkpoint) -> BrainEncoder:
    """The checkpoint's encoder, in evaluation mode.

    Raises
    ------
    ValueError
        If the checkpoint has no read-out; the message gives ways to obtain one.
    """
    if checkpoint.card.read_out is None:
        raise ValueError(
            f"checkpoint {checkpoint.card.name!r} has no read-out to fMRI and predicts nothing; "
            "fit one and write it with python -m training export, or convert a published "
            "brain-aligned model: "
            "hear-brainsoundnet convert IN OUT.safetensors --from brain-aligned-pt"
        )
    return checkpoint.build_encoder()


def n_trs_within(n_samples: int, sample_rate: int, tr: float, start: float = 0.0) -> int:
    """Number of TRs whose onset ``start + i * tr`` lies before the end of a clip, `i` from 0.

    Seconds are interpreted as the decimal numbers they are written as, so that a TR whose onset is
    exactly the end never counts.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> n_trs_within(n_samples=447, sample_rate=100, tr=1.49)
    3
    """
    duration = Fraction(n_samples, sample_rate)
    n_trs = math.ceil((duration - Fraction(str(start))) / Fraction(str(tr)))
    if n_trs < 1:
        raise ValueError(
            f"the sound ends after {float(duration):g} s and TR 0 begins at {start:g} s: no TR "
            "begins within it; give an earlier start, or the number of TRs"
        )
    return n_trs


def check_timing(read_out: ReadOut, n_trs: int | None, start: float) -> None:
    """Reject a number of TRs or a start incompatible with the read-out.

    Raises
    ------
    ValueError
        If `start` is not finite, or not 0 where the read-out fixes it; if `n_trs` is not
        positive, or not 1 for sound responses.
    """
    sampling = read_out.tr_sampling
    if not math.isfinite(start):
        raise ValueError(f"the start must be a finite number of seconds, got {start}")
    if sampling != "interpolate" and start != 0:
        row = "frame i for TR i" if sampling == "crop" else "the mean over the whole sound"
        raise ValueError(
            f"the read-out has tr_sampling {sampling!r}, which takes {row}: the start must be 0, "
            f"got {start:g}; cut the sound instead"
        )
    if n_trs is not None and n_trs < 1:
        raise ValueError(f"the number of TRs must be at least 1, got {n_trs}")
    if sampling == "mean" and n_trs not in (None, 1):
        raise ValueError(f"sound responses have one row, {n_trs} TRs were requested")


@torch.no_grad()
def predict_responses(
    encoder: BrainEncoder,
    sound: Sound,
    *,
    input_scale: float,
    names: Iterable[str] | None = None,
    n_trs: int | None = None,
    start: float = 0.0,
    samples_per_pass: int = SAMPLES_PER_PASS,
) -> dict[str, Tensor]:
    """Predicted responses to one clip of any sample rate, read in chunks.

    Equal to ``encoder(audio, n_trs, start=start, name=name)`` for the whole clip at the network's
    rate and scale.

    Parameters
    ----------
    encoder : BrainEncoder
        In evaluation mode, on the device to run on.
    sound : Sound
        One clip, for example :class:`hear_brainsoundnet.audio.AudioFile`; it is read once,
        sequentially.
    input_scale : float
        Amplitude of full scale that the network expects, from the checkpoint's card.
    names : iterable of str, optional
        Weights of the read-out to use; all by default.
    n_trs : int, optional
        Number of TRs; by default those that begin within the clip (:func:`n_trs_within`). For
        ``tr_sampling="mean"`` there is one row.
    start : float
        Onset of TR 0 in seconds of the audio, for ``tr_sampling="interpolate"``.
    samples_per_pass : int
        Upper limit of samples (at the network's rate) in one pass through the network.

    Returns
    -------
    dict of Tensor
        For each name float32 ``(n_trs, n_targets)`` on the CPU.

    Raises
    ------
    ValueError
        If the encoder is in training mode, a name is unknown, the timing is impossible
        (:func:`check_timing`), the clip is too short for the requested TRs (for
        ``tr_sampling="crop"``) or contains NaN or infinity.

    Examples
    --------
    >>> from hear_brainsoundnet.audio import TensorSound
    >>> from hear_brainsoundnet.soundnet import SoundNet
    >>> read_out = ReadOut("conv7", 5, 1.49, "interpolate", (1, 2, 3), names=("sub-01",))
    >>> encoder = BrainEncoder(SoundNet(), read_out).eval()
    >>> ten_seconds = TensorSound(torch.zeros(1, 480_000), sample_rate=48_000)
    >>> predict_responses(encoder, ten_seconds, input_scale=1.0)["sub-01"].shape
    torch.Size([7, 3])
    """
    read_out = encoder.read_out
    if encoder.training:
        raise ValueError("the encoder is in training mode; call encoder.eval() first")
    if sound.n_sounds != 1:
        raise ValueError(f"expected one sound, got {sound.n_sounds}; predict them one by one")
    names = read_out.names if names is None else tuple(names)
    for name in names:
        if name not in read_out.names:
            raise ValueError(f"no read-out {name!r}; the encoder has {', '.join(read_out.names)}")
    check_timing(read_out, n_trs, start)
    if read_out.tr_sampling == "mean":
        n_trs = 1
    elif n_trs is None:
        n_trs = n_trs_within(sound.n_samples, sound.sample_rate, read_out.tr, start)
    features = _features(encoder, sound, input_scale, n_trs, start, samples_per_pass)
    return {name: encoder.respond(features, name)[0].float().cpu() for name in names}


def _features(
    encoder: BrainEncoder,
    sound: Sound,
    input_scale: float,
    n_trs: int,
    start: float,
    samples_per_pass: int,
) -> Tensor:
    """The result of ``encoder.features`` for the whole clip, shape ``(1, n_trs, channels)``."""
    weight = next(encoder.parameters())
    stages = encoder.stages
    front_end = FrontEnd(encoder.sample_rate, encoder.sample_rate, input_scale, level=0)
    prepared = front_end.prepared(sound, weight)
    n_padded = max(prepared.n_samples, encoder.stage.shortest_input())
    rows = {
        stage.name: _rows(encoder, stage, prepared.n_samples, n_padded, n_trs, start)
        for stage in stages
    }
    for found in stream_frames(encoder.soundnet, stages, n_padded, prepared.read, samples_per_pass):
        for name, own in rows.items():
            frames, first = found[name]
            own.add(encoder.transformed(frames).transpose(1, 2), first)
    return torch.cat([own.result().to(weight) for own in rows.values()], dim=2)


def _rows(
    encoder: BrainEncoder,
    stage: StageGeometry,
    n_samples: int,
    n_padded: int,
    n_trs: int,
    start: float,
) -> FramesAt | MeanFrame:
    """Accumulator of the features of a stage, as defined by ``BrainEncoder.features``."""
    read_out, n_frames = encoder.read_out, stage.n_frames(n_padded)
    if read_out.tr_sampling == "mean":
        return MeanFrame(averaged_frames(stage, n_samples, n_frames))
    steps = torch.arange(n_trs, dtype=torch.float64)
    if read_out.tr_sampling == "crop":
        if n_frames < n_trs:
            raise ValueError(
                f"{n_trs} TRs were requested, the audio yields {n_frames} frames of {stage.name}; "
                "give longer audio or request fewer TRs"
            )
        return FramesAt(stage, stage.centre + steps * stage.hop)
    return FramesAt(stage, (start + steps * read_out.tr) * encoder.sample_rate)


class FramesAt:
    """Frames at ascending times, interpolated as they arrive; see :func:`frames_at`.

    Only the requested rows and the last frame are kept; the latter is interpolated with the first
    one of the next segment.

    Parameters
    ----------
    stage : StageGeometry
        The stage of the frames.
    times : Tensor
        In samples at the network's rate, float64, ascending, shape ``(n_times,)``.
    """

    def __init__(self, stage: StageGeometry, times: Tensor) -> None:
        self.stage = stage
        self.times = times
        self.rows: list[Tensor] = []
        self.n_done = 0
        self.last: Tensor | None = None
        self.last_position = -1

    def add(self, frames: Tensor, position: int) -> None:
        """Add frames ``(n_sounds, n_frames, channels)``, the first one at `position`."""
        if frames.shape[1] == 0:
            return
        if self.last is not None:
            frames, position = torch.cat([self.last, frames], dim=1), position - 1
        self.last_position = position + frames.shape[1] - 1
        last_time = self.stage.centre + self.last_position * self.stage.hop
        n_known = int(torch.searchsorted(self.times, last_time, right=True))
        self._read_out(frames, position, n_known)
        self.last = frames[:, -1:].clone()

    def result(self) -> Tensor:
        """Shape ``(n_sounds, n_times, channels)``; the last frame is held beyond its centre."""
        assert self.last is not None
        self._read_out(self.last, self.last_position, len(self.times))
        return torch.cat(self.rows, dim=1)

    def _read_out(self, frames: Tensor, position: int, n_known: int) -> None:
        if self.n_done < n_known:
            times = self.times[self.n_done : n_known]
            self.rows.append(frames_at(frames, self.stage, times, first=position))
            self.n_done = n_known


class MeanFrame:
    """Mean over a range of frames, summed in float64, independent of the segmentation."""

    def __init__(self, averaged: range) -> None:
        self.averaged = averaged
        self.sum: Tensor | float = 0.0

    def add(self, frames: Tensor, position: int) -> None:
        """Add frames ``(n_sounds, n_frames, channels)``, the first one at `position`."""
        own = slice(max(0, self.averaged.start - position), max(0, self.averaged.stop - position))
        self.sum = self.sum + frames[:, own].double().sum(dim=1, keepdim=True)

    def result(self) -> Tensor:
        """Shape ``(n_sounds, 1, channels)``, float64."""
        mean = self.sum / len(self.averaged)
        assert isinstance(mean, Tensor)
        return mean
