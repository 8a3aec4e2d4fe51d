"""Front end of the network: resampling, level normalisation, scaling, padding.

All of it is computed in float32 (float64 for a network in float64): half precision and autocast
apply to the network only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hear_brainsoundnet.audio import Sound, check_audio, check_samples
from hear_brainsoundnet.geometry import StageGeometry
from hear_brainsoundnet.level import brought_to, samples_around
from hear_brainsoundnet.modes import is_exporting, ordinary_tensors, without_autocast
from hear_brainsoundnet.padding import between_zeros
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.streaming import shortest_input


@dataclass(frozen=True)
class PaddedClip:
    """Lengths at the network's rate, and the frames of the time grid that lie within the clip."""

    n_samples: int
    n_padded: int
    within: range


class FrontEnd(nn.Module):
    """Preprocessing of audio for a network: of `sample_rate` to `network_rate` (Hz), to a target
    level (0 disables the normalisation), times `input_scale`.

    The amplitude scale and the rate that the network expects are part of the state, since weights
    are meaningless without them. ``load_state_dict`` rejects weights for another rate and, in
    strict mode, weights that do not record what they expect.
    """

    input_scale: Tensor
    network_rate: Tensor

    def __init__(
        self, sample_rate: int, network_rate: int, input_scale: float, level: float
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.target_rate = network_rate
        self.level = level
        self.resampler = Resampler(sample_rate, network_rate)
        with ordinary_tensors():
            self.register_buffer("input_scale", torch.tensor(input_scale, dtype=torch.float32))
            self.register_buffer("network_rate", torch.tensor(network_rate))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrontEnd:
        scale, kernel = self.input_scale, self.resampler.kernel
        super()._apply(fn, recurse)
        # Half precision is for the network only; rounded values could not be restored.
        self.input_scale = scale.to(self.input_scale.device)
        self.resampler.kernel = kernel.to(self.resampler.kernel.device)
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any, **keywords: Any
    ) -> None:
        rate = state_dict.get(prefix + "network_rate")
        if rate is not None and int(rate) != self.target_rate:
            raise ValueError(
                f"these weights expect audio at {int(rate)} Hz, this model has a network for "
                f"{self.target_rate} Hz; load their own checkpoint with load_model(path)"
            )
        super()._load_from_state_dict(state_dict, prefix, *arguments, **keywords)

    def check_names(self, missing: Collection[str], prefix: str) -> None:
        """Reject weights that lack only the scale or the rate.

        `missing` are names missing from a state, in which this module's begin with `prefix`.
        """
        own = [name for name in ("input_scale", "network_rate") if prefix + name in missing]
        if own and len(own) == len(missing):
            values = {name: getattr(self, name).item() for name in own}
            shown = ", ".join(
                f"state['{prefix}{name}'] = torch.tensor({value!r})"
                for name, value in values.items()
            )
            raise ValueError(
                f"these weights do not record which {' and '.join(own)} they expect "
                "(an earlier version saved them); load their own checkpoint with "
                f"load_model(path), or add what is missing (this model has {shown}), or keep this "
                "model's with strict=False"
            )

    def resampler_for(self, sound: Sound) -> Resampler:
        if sound.sample_rate == self.sample_rate:
            return self.resampler
        return cached_resampler(sound.sample_rate, self.target_rate)

    def prepared(self, sound: Sound, like: Tensor) -> PreparedSound:
        """The clip preprocessed for a network with weights `like`, to be read sequentially."""
        return PreparedSound(self, sound, like)

    def whole(
        self, audio: Tensor, grid: StageGeometry, shortest: int, two_frames: int, like: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Preprocess clips in memory with tensor operations only, for audio of any length.

        Parameters
        ----------
        audio : Tensor
            ``(n_sounds, n_samples)`` at `sample_rate`.
        grid : StageGeometry
            Stage whose frames within the clips are needed.
        shortest, two_frames : int
            Numbers of samples: the minimum, and those that give every stage two frames.
        like : Tensor
            A weight of the network.

        Returns
        -------
        audio : Tensor
            ``(n_sounds, n_longer)``: as from :meth:`PreparedSound.read`, with more zeros.
        n_padded : Tensor
            int64 ``(1,)``: number of its samples that belong to the clips.
        """
        # A counted length, so that a trace records its origin.
        n_samples = torch.ones_like(audio[:1], dtype=torch.int64).sum(dim=1)
        n_resampled = _divided_up(n_samples * self.resampler.new, self.resampler.old)
        n_within = frames_before(grid, n_samples, self.resampler)
        n_padded = torch.maximum(n_resampled, shortest_input(grid, n_within)).clamp_min(shortest)
        with without_autocast(like.device):
            audio = audio.to(device=like.device, dtype=full_precision(like))
            audio = self.resampler.whole(audio)
            places = torch.arange(audio.shape[1], device=audio.device)
            audio = audio.masked_fill(places >= n_resampled, 0)
            if self.level:
                audio = brought_to(self.level, audio, self.target_rate, n_resampled)
            audio = audio * self.input_scale.to(audio)
            # The last frame within a clip needs at most this much beyond its end.
            n_beyond = shortest + max(0, -int(grid.centre // 1))
            if not isinstance(audio.shape[1], int) and is_exporting():
                n_beyond = max(n_beyond, two_frames)  # export must rule out a single frame
            audio = F.pad(audio, (0, n_beyond))
        return audio.to(like.dtype), n_padded


class PreparedSound:
    """Audio as input to a network: resampled, level-normalised, scaled, zero-padded at the end.

    It is read sequentially, like the :class:`Sound` it comes from; overlaps of successive chunks
    are resampled once and kept. `n_samples` is at the network's rate, `source_device` is that of
    the samples that were read.
    """

    def __init__(self, front_end: FrontEnd, sound: Sound, like: Tensor) -> None:
        self.front_end = front_end
        self.sound = sound
        self.like = like
        self.resampler = front_end.resampler_for(sound)
        self.n_samples = self.resampler.n_out(sound.n_samples)
        self.source_device = torch.device("cpu")
        self._held = torch.empty(sound.n_sounds, 0)
        self._first = 0

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, ``(n_sounds, stop - start)``; starts never decrease."""
        level, rate = self.front_end.level, self.front_end.target_rate
        own = min(stop, self.n_samples)
        with without_autocast(self.like.device):
            if level:
                first, last = samples_around(start, own, rate)
                audio = self._resampled(first, min(last, self.n_samples))
                audio = brought_to(level, audio, rate, self.n_samples - first)
                audio = audio[:, start - first : own - first]
            else:
                audio = self._resampled(start, own)
            audio = audio * self.front_end.input_scale.to(audio)
            audio = between_zeros(audio, 0, stop - start)
        return audio.to(self.like.dtype)

    def _resampled(self, start: int, stop: int) -> Tensor:
        held = self._held[:, start - self._first :]
        missing = start + held.shape[1]
        if missing < stop:
            new = self.resampler.slice(self._samples, self.sound.n_samples, missing, stop)
            held = torch.cat([held, new], dim=1) if held.shape[1] else new
        self._held, self._first = held, start
        return held[:, : stop - start]

    def _samples(self, start: int, stop: int) -> Tensor:
        samples = check_audio(self.sound.read(start, stop))
        self.source_device = samples.device
        check_samples(samples)
        return samples.to(device=self.like.device, dtype=full_precision(self.like))


def padded_clip(
    sound: Sound, resampler: Resampler, grid: StageGeometry, shortest: int
) -> PaddedClip:
    """Lengths of a clip, padded so that every stage yields the requested frames."""
    within = grid.frames_within(sound.n_samples * Fraction(resampler.new, resampler.old))
    n_samples = resampler.n_out(sound.n_samples)
    n_padded = max(n_samples, grid.shortest_input(within.stop), shortest)
    return PaddedClip(n_samples, n_padded, within)


def frames_before(grid: StageGeometry, n_samples: Any, resampler: Resampler) -> Any:
    """Where the frames of :meth:`StageGeometry.frames_within` stop, for an int or tensor length.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> frames_before(stage_geometry()["conv4"], torch.tensor(48000), Resampler(48000, 22050))
    tensor(22)
    """
    halves = round(2 * grid.centre)  # centres are multiples of one half
    divisor = 2 * resampler.old * grid.hop
    n_early = max(0, math.ceil(grid.centre / grid.hop))  # avoids dividing a negative number
    samples = 2 * resampler.new * n_samples - halves * resampler.old + n_early * divisor
    return _divided_up(samples, divisor) - n_early


def full_precision(like: Tensor) -> torch.dtype:
    """The dtype of preprocessing before a network with weights `like`."""
    return torch.promote_types(like.dtype, torch.float32)


@lru_cache(maxsize=8)
def cached_resampler(sample_rate: int, target_rate: int) -> Resampler:
    return Resampler(sample_rate, target_rate)


def _divided_up(number: Any, divisor: int) -> Any:
    # Not -(-number // divisor): ONNX rounds quotients of negative numbers up.
    return (number + divisor - 1) // divisor
