"""From sounds to embeddings: one level, resample, scale, pad, run in segments, pool.

There is one path for short, long and batched audio. A pass through the network never sees more
than `samples_per_pass` samples: many short sounds share one pass, a long sound takes several
(:mod:`hear_brainsoundnet.streaming`), so that memory does not grow with the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor, nn

from hear_brainsoundnet.audio import Sound, TensorSound, check_samples
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.fast import FastSoundNet
from hear_brainsoundnet.features import find_preset, parse_scene, parse_timestamps
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.level import check_level, with_gain
from hear_brainsoundnet.padding import between_zeros
from hear_brainsoundnet.pooling import FrameTrack, ScenePool
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.soundnet import SoundNet
from hear_brainsoundnet.streaming import Segment, segments

SAMPLES_PER_PASS = 2**21


@dataclass(frozen=True)
class Embeddings:
    """What :meth:`EmbeddingModel.embed` returns; a kind that was not asked for is None.

    Attributes
    ----------
    scene : Tensor or None
        Shape ``(n_sounds, scene_embedding_size)``, float32.
    timestamps : Tensor or None
        Shape ``(n_sounds, n_timestamps, timestamp_embedding_size)``, float32.
    timestamps_ms : Tensor or None
        Centre of each frame in milliseconds, shape ``(n_sounds, n_timestamps)``, float32.
    """

    scene: Tensor | None = None
    timestamps: Tensor | None = None
    timestamps_ms: Tensor | None = None


class EmbeddingModel(nn.Module):
    """A SoundNet checkpoint as a source of embeddings; what `load_model` returns.

    The network is always in evaluation mode and its weights need no gradient; gradients with
    respect to the audio are available. Nothing is kept from one call to the next.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights, with the rate and the amplitude scale that they expect.
    sample_rate : int
        Rate in Hz of the tensors that will be given.
    preset : str
        {"default", "paper"}: named values of the three below.
    scene, timestamps : str, optional
        Expressions of :mod:`hear_brainsoundnet.features` that replace those of the preset.
    level : float, optional
        Level within 0 and 1 (:mod:`hear_brainsoundnet.level`) that each sound as a whole is
        brought to first, in place of the preset's; 0 leaves sounds as they are.
    samples_per_pass : int
        Upper limit of samples (at the network's rate) in one pass through the network.
    reference : bool
        Use the plain network instead of :mod:`hear_brainsoundnet.fast`: equal but for rounding,
        and some times slower.

    Attributes
    ----------
    sample_rate, scene_embedding_size, timestamp_embedding_size : int
        As the HEAR API asks.

    Raises
    ------
    ValueError
        For an unknown preset, stage or pooling, a level outside 0 to 1, or a rate outside 1,000
        to 1,000,000 Hz.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        sample_rate: int = 48_000,
        preset: str = "default",
        scene: str | None = None,
        timestamps: str | None = None,
        level: float | None = None,
        samples_per_pass: int = SAMPLES_PER_PASS,
        reference: bool = False,
    ) -> None:
        super().__init__()
        chosen = find_preset(preset)
        self.preset = preset
        self.scene = chosen.scene if scene is None else scene
        self.timestamps = chosen.timestamps if timestamps is None else timestamps
        self.level = check_level(chosen.level if level is None else level)
        self.card = checkpoint.card
        self.checkpoint_hash = checkpoint.hash
        self.sample_rate = sample_rate
        self.samples_per_pass = samples_per_pass
        self.soundnet = checkpoint.build_soundnet().requires_grad_(False)
        self.fast = None if reference else FastSoundNet(self.soundnet)
        self.resampler = Resampler(sample_rate, self.card.sample_rate)

        geometry = stage_geometry(self.soundnet.layers)
        self.scene_terms = parse_scene(self.scene, geometry)
        self.timestamp_terms = parse_timestamps(self.timestamps, geometry)
        named = {term.stage for term in (*self.scene_terms, *self.timestamp_terms)}
        self.stages = {name: stage for name, stage in geometry.items() if name in named}
        timestamp_stages = [self.stages[term.stage] for term in self.timestamp_terms]
        self.grid = min(timestamp_stages, key=lambda stage: stage.hop)
        self.shortest_input = max(stage.shortest_input() for stage in self.stages.values())
        self.scene_embedding_size = sum(
            self.stages[term.stage].channels * len(term.poolings) for term in self.scene_terms
        )
        self.timestamp_embedding_size = sum(stage.channels for stage in timestamp_stages)
        self.eval()

    @property
    def network(self) -> FastSoundNet | SoundNet:
        """What computes the stages: the fast way, or the plain network where that was asked for."""
        return self.fast or self.soundnet

    def train(self, mode: bool = True) -> EmbeddingModel:
        """Stay in evaluation mode: embeddings do not depend on what was called before."""
        return super().train(False)

    def forward(self, audio: Tensor) -> Tensor:
        """Scene embeddings of checked `audio`; shape ``(n_sounds, n_samples)`` at `sample_rate`."""
        scene = self.embed_tensor(audio, timestamps=False).scene
        assert scene is not None
        return scene

    def embed_tensor(
        self, audio: Tensor, *, scene: bool = True, timestamps: bool = True
    ) -> Embeddings:
        """Embed sounds in memory, as many at a time as one pass may hold; see :meth:`embed`."""
        n_samples = self.padded_clip(TensorSound(audio, self.sample_rate), self.resampler).n_padded
        parts = [
            self.embed(TensorSound(part, self.sample_rate), scene=scene, timestamps=timestamps)
            for part in audio.split(max(1, self.samples_per_pass // n_samples))
        ]
        if len(parts) == 1:
            return parts[0]
        return Embeddings(
            _join([part.scene for part in parts]),
            _join([part.timestamps for part in parts]),
            _join([part.timestamps_ms for part in parts]),
        )

    def embed(self, sound: Sound, *, scene: bool = True, timestamps: bool = True) -> Embeddings:
        """Embed equally long sounds that are read piece by piece, at any sample rate.

        Parameters
        ----------
        sound : Sound
            For example :class:`hear_brainsoundnet.audio.AudioFile`; it is read from front to
            back, twice where it is long and has to be brought to a level.
        scene, timestamps : bool
            Which kinds to compute.

        Returns
        -------
        Embeddings
            On the device of the samples that `sound` yields.

        Raises
        ------
        ValueError
            If the sound contains NaN or infinity.
        """
        self.soundnet.eval()
        resampler = self.resampler
        if sound.sample_rate != self.sample_rate:
            resampler = cached_resampler(sound.sample_rate, self.card.sample_rate)
        clip = self.padded_clip(sound, resampler)
        sound, gain = self.levelled(sound)
        terms = self.scene_terms if scene else ()
        pools = [ScenePool(term) for term in terms]
        tracks = [
            self._track(term.stage, clip) for term in (self.timestamp_terms if timestamps else ())
        ]
        wanted = {pool.term.stage for pool in pools} | {track.stage.name for track in tracks}
        stages = [stage for name, stage in self.stages.items() if name in wanted]

        source_device: torch.device | None = None
        for segment in segments(clip.n_padded, stages, self.samples_per_pass):
            audio, source_device = self.read_segment(sound, gain, resampler, clip, segment)
            activations = self.network(audio, wanted)
            frames = {name: activations[name][:, :, segment.kept[name]] for name in wanted}
            for pool in pools:
                pool.add(frames[pool.term.stage])
            for track in tracks:
                track.add(frames[track.stage.name], segment.position[track.stage.name])

        embeddings = Embeddings()
        if scene:
            pooled = torch.cat([pool.result() for pool in pools], dim=1)
            embeddings = Embeddings(scene=pooled.float().to(source_device))
        if timestamps:
            centres = torch.arange(clip.within.start, clip.within.stop, dtype=torch.float64)
            centres = self.grid.centre + centres * self.grid.hop
            frames_of_time = self._side_by_side(tracks, centres)
            milliseconds = (centres * (1000 / self.card.sample_rate)).float().to(source_device)
            embeddings = Embeddings(
                scene=embeddings.scene,
                timestamps=frames_of_time.float().to(source_device),
                timestamps_ms=milliseconds.repeat(sound.n_sounds, 1),
            )
        return embeddings

    def _side_by_side(self, tracks: list[FrameTrack], centres: Tensor) -> Tensor:
        """All tracks at `centres`, ``(n_sounds, n_times, channels)``; they are used up."""
        if len(tracks) == 1:
            return tracks[0].kept()
        n_sounds = len(tracks[0].kept())
        found = tracks[0].kept().new_empty(n_sounds, len(centres), self.timestamp_embedding_size)
        first = 0
        while tracks:
            track = tracks.pop(0)
            own = found[:, :, first : first + track.stage.channels]
            if track.stage is self.grid:
                own[:] = track.kept()
            else:
                track.write_at(centres, own)
            first += track.stage.channels
        return found

    def padded_clip(self, sound: Sound, resampler: Resampler) -> PaddedClip:
        """Lengths of a sound, padded so that every stage yields the frames that are asked for."""
        within = self.grid.frames_within(sound.n_samples * Fraction(resampler.new, resampler.old))
        n_samples = resampler.n_out(sound.n_samples)
        n_padded = max(
            n_samples,
            self.grid.shortest_input(within.stop),
            self.shortest_input,
        )
        return PaddedClip(n_samples, n_padded, within)

    def _track(self, name: str, clip: PaddedClip) -> FrameTrack:
        stage = self.stages[name]
        if stage is self.grid:
            return FrameTrack(stage, clip.within.start, clip.within.stop)
        return FrameTrack(stage, 0, stage.n_frames(clip.n_padded))

    def levelled(self, sound: Sound) -> tuple[Sound, Tensor]:
        """The sound from its beginning, and what it is multiplied by, ``(n_sounds, 1)``."""
        if self.level == 0:
            return sound, torch.ones(sound.n_sounds, 1)
        return with_gain(self.level, sound)

    def read_segment(
        self,
        sound: Sound,
        gain: Tensor,
        resampler: Resampler,
        clip: PaddedClip,
        segment: Segment,
    ) -> tuple[Tensor, torch.device]:
        """Samples of one segment, ready for the network, and the device that they came from."""
        weight = next(self.soundnet.parameters())
        source_device = torch.device("cpu")

        def read(start: int, stop: int) -> Tensor:
            nonlocal source_device
            samples = sound.read(start, stop)
            source_device = samples.device
            check_samples(samples)
            return samples.to(device=weight.device, dtype=weight.dtype)

        stop = min(segment.stop, clip.n_samples)
        audio = resampler.slice(read, sound.n_samples, segment.start, stop)
        audio = audio * (gain.to(audio) * self.card.input_scale)
        return between_zeros(audio, 0, segment.stop - segment.start), source_device


@dataclass(frozen=True)
class PaddedClip:
    """Lengths at the network's rate, and the frames of the time grid that lie within the clip."""

    n_samples: int
    n_padded: int
    within: range


@lru_cache(maxsize=8)
def cached_resampler(sample_rate: int, target_rate: int) -> Resampler:
    return Resampler(sample_rate, target_rate)


def _join(parts: list[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
