"""Embedding pipeline: resample, normalise the level, scale, pad, run in segments, pool.

A single path serves short, long and batched audio. A pass through the network never gets more than
`samples_per_pass` samples: many short clips share one pass, a long clip takes several
(:mod:`hear_brainsoundnet.streaming`), so that memory does not grow with the input.

When operations are traced (torch.compile, torch.export, ONNX), all samples are in one pass, and the
trace is valid for every length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hear_brainsoundnet.audio import Sound, TensorSound, check_audio
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.fast import FastSoundNet, FoldedKernels, can_serve
from hear_brainsoundnet.features import (
    FrameTrack,
    ScenePool,
    find_preset,
    parse_scene,
    parse_timestamps,
    pooled,
)
from hear_brainsoundnet.front_end import FrontEnd, PaddedClip, frames_before, padded_clip
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.level import check_level
from hear_brainsoundnet.modes import is_traced, one_thread_after_fork
from hear_brainsoundnet.soundnet import SoundNet
from hear_brainsoundnet.streaming import held_at, masked_frames, stream_frames

SAMPLES_PER_PASS = 2**21  # an eighth takes up to twice as long; twice as many are no faster


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of one clip or a batch; kinds that were not requested are None.

    Attributes
    ----------
    scene : Tensor or None
        Shape ``(n_sounds, scene_embedding_size)``, float32.
    timestamps : Tensor or None
        Shape ``(n_sounds, n_timestamps, timestamp_embedding_size)``, float32.
    timestamps_ms : Tensor or None
        Centre of each frame in milliseconds, shape ``(n_sounds, n_timestamps)``, float32.

    The results of :func:`hear_brainsoundnet.embed_file` and :func:`hear_brainsoundnet.embed_array`
    are for one clip and have no first axis.
    """

    scene: Tensor | None = None
    timestamps: Tensor | None = None
    timestamps_ms: Tensor | None = None

    def to(self, device: torch.device) -> Embeddings:
        """A copy on another device."""
        return Embeddings(*(None if each is None else each.to(device) for each in self._all))

    def of_first(self) -> Embeddings:
        """Those of the first clip, without the first axis."""
        return Embeddings(*(None if each is None else each[0] for each in self._all))

    @property
    def _all(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        return self.scene, self.timestamps, self.timestamps_ms


class EmbeddingModel(nn.Module):
    """Embedding model of a SoundNet checkpoint, as returned by `load_model`.

    An ordinary module: it can be copied, pickled, moved, converted (``half``, ``double``),
    compiled, exported and traced, and its weights can be modified at any time; the output always
    reflects the current weights.

    Weights are frozen at first; gradients with respect to the audio are available. After
    ``requires_grad_(True)`` the weights are trained through the plain network. BatchNorm always
    uses the statistics of the checkpoint: ``train()`` sets `training` and changes no embedding, so
    that a clip has the same embedding in any batch.

    Parameters
    ----------
    checkpoint : Checkpoint
        Weights, with the rate and amplitude scale they expect.
    sample_rate : int
        Rate in Hz of the input tensors.
    preset : str
        {"default", "paper"}: named values of the three below.
    scene, timestamps : str, optional
        Expressions of :mod:`hear_brainsoundnet.features` that replace those of the preset.
    level : float, optional
        Target level in [0, 1] (:mod:`hear_brainsoundnet.level`) of the moving normalisation,
        overriding the preset's; 0 disables it.
    samples_per_pass : int
        Upper limit of samples (at the network's rate) in one pass through the network.
    reference : bool
        Use the plain network instead of :mod:`hear_brainsoundnet.fast`: equal up to rounding, and
        several times slower.

    Attributes
    ----------
    sample_rate, scene_embedding_size, timestamp_embedding_size : int
        As required by the HEAR API.

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
        self.reference = reference
        self.kernels = FoldedKernels()
        self.front_end = FrontEnd(
            sample_rate, self.card.sample_rate, self.card.input_scale, self.level
        )

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
        """The implementation of the stages: the fast one, or the plain network where required."""
        if not (self.reference or is_traced()) and can_serve(self.soundnet):
            return FastSoundNet(self.soundnet, self.kernels)
        if any(module.training for module in self.soundnet.modules()):
            self.soundnet.eval()
            return self.network
        return self.soundnet

    def train(self, mode: bool = True) -> EmbeddingModel:
        """Set `training`; BatchNorm uses the statistics of the checkpoint in either mode."""
        super().train(mode)
        self.soundnet.eval()
        return self

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As for every module; in strict mode weights without their scale or rate are rejected."""
        if strict:
            self.front_end.check_names(self.state_dict().keys() - state_dict.keys(), "front_end.")
        return super().load_state_dict(state_dict, strict, assign)

    def __prepare_scriptable__(self) -> EmbeddingModel:
        """Hook of torch.jit.script, which does not support this model."""
        raise TypeError(
            "torch.jit.script cannot read this model; use torch.jit.trace(model, audio) or "
            "torch.export.export(model, (audio,)): a trace is valid for every length"
        )

    def forward(self, audio: Tensor) -> Tensor:
        """Scene embeddings; `audio` as for :func:`hear_brainsoundnet.get_scene_embeddings`."""
        scene = self.embed_tensor(audio, timestamps=False).scene
        assert scene is not None
        return scene

    def embed_tensor(
        self, audio: Tensor, *, scene: bool = True, timestamps: bool = True
    ) -> Embeddings:
        """Embed clips in memory, as many at a time as fit in one pass; see :meth:`embed`.

        `audio` is floating point, ``(n_sounds, n_samples)``, at `sample_rate`; raises as
        :func:`hear_brainsoundnet.get_scene_embeddings`.
        """
        if not torch.jit.is_tracing():  # sizes are tensors when tracing
            check_audio(audio)
        if is_traced():
            return self._embed_whole(audio, scene, timestamps)
        if len(audio) == 1:
            sound = TensorSound(audio, self.sample_rate)
            return self.embed(sound, scene=scene, timestamps=timestamps)
        n_samples = self.padded_clip(TensorSound(audio, self.sample_rate)).n_padded
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
        """Embed clips of equal length that are read in chunks, at any sample rate.

        Parameters
        ----------
        sound : Sound
            For example :class:`hear_brainsoundnet.audio.AudioFile`; it is read once, sequentially.
        scene, timestamps : bool
            Kinds to compute.

        Returns
        -------
        Embeddings
            On the device of the samples that `sound` yields.

        Raises
        ------
        TypeError
            If it is not a :class:`Sound` but, for example, a tensor, an array or a path.
        ValueError
            If it is empty, has an unsupported rate, or contains NaN or infinity.
        """
        _check_sound(sound)
        one_thread_after_fork()
        network, like = self.network, next(self.soundnet.parameters())
        clip = self.padded_clip(sound)
        prepared = self.front_end.prepared(sound, like)
        terms = self.scene_terms if scene else ()
        pools = [ScenePool(term) for term in terms]
        tracks = [
            self._track(term.stage, clip) for term in (self.timestamp_terms if timestamps else ())
        ]
        wanted = {pool.term.stage for pool in pools} | {track.stage.name for track in tracks}
        stages = [stage for name, stage in self.stages.items() if name in wanted]

        for frames in stream_frames(
            network, stages, clip.n_padded, prepared.read, self.samples_per_pass
        ):
            for pool in pools:
                pool.add(frames[pool.term.stage].values)
            for track in tracks:
                track.add(*frames[track.stage.name])

        embeddings = Embeddings()
        if scene:
            pooled = torch.cat([pool.result() for pool in pools], dim=1)
            embeddings = Embeddings(scene=pooled.float().to(prepared.source_device))
        if timestamps:
            centres = self.centres(clip.within.start, clip.within.stop)
            frames_of_time = self._side_by_side(tracks, centres)
            milliseconds = self.milliseconds(centres).to(prepared.source_device)
            embeddings = Embeddings(
                scene=embeddings.scene,
                timestamps=frames_of_time.float().to(prepared.source_device),
                timestamps_ms=milliseconds.repeat(sound.n_sounds, 1),
            )
        return embeddings

    def _embed_whole(self, audio: Tensor, scene: bool, timestamps: bool) -> Embeddings:
        """All samples in one pass, with tensor operations only, for audio of any length."""
        network, like = self.network, next(self.soundnet.parameters())
        two_frames = max(stage.shortest_input(2) for stage in self.stages.values())
        samples, n_padded = self.front_end.whole(
            audio, self.grid, self.shortest_input, two_frames, like
        )
        frames = self.masked_frames(network, samples, n_padded, scene, timestamps)
        found: list[Tensor | None] = [None, None, None]
        if scene:
            found[0] = self.pooled_scene(frames).to(audio.device)
        if timestamps:
            n_within = frames_before(self.grid, audio.shape[1], self.front_end.resampler)
            centres = self.centres(self.grid.frames_within(0).start, n_within)
            found[1] = self.tracks_at(frames, centres).to(audio.device)
            milliseconds = self.milliseconds(centres).to(audio.device)
            found[2] = milliseconds.expand(audio.shape[0], -1)
        return Embeddings(*found)

    def masked_frames(
        self,
        network: FastSoundNet | SoundNet,
        audio: Tensor,
        n_samples: Tensor,
        scene: bool,
        timestamps: bool,
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """The stages that an embedding needs; see :func:`masked_frames`."""
        terms = [
            *(self.scene_terms if scene else ()),
            *(self.timestamp_terms if timestamps else ()),
        ]
        return masked_frames(network, audio, n_samples, {term.stage for term in terms})

    def pooled_scene(self, frames: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Scene embeddings of masked frames, ``(n_clips, scene_embedding_size)``, float32."""
        # The zeros beyond the end do not affect the maximum: the ReLU leaves nothing below them.
        parts = [pooled(*frames[term.stage], term) for term in self.scene_terms]
        return torch.cat(parts, dim=1).float()

    def tracks_at(self, frames: Mapping[str, tuple[Tensor, Tensor]], centres: Tensor) -> Tensor:
        """Masked frames at the times of the grid, ``(n_clips, n_times, D)``, float32."""
        tracks = [
            held_at(*frames[term.stage], self.stages[term.stage], centres)
            for term in self.timestamp_terms
        ]
        return torch.cat(tracks, dim=2).float()

    def centres(self, first: int, stop: int) -> Tensor:
        """Centres of frames of the time grid, in samples at the network's rate, float64."""
        frames = torch.arange(first, stop, dtype=torch.float64, device="cpu")
        return self.grid.centre + frames * self.grid.hop

    def milliseconds(self, centres: Tensor) -> Tensor:
        """Centres in milliseconds, as returned to the caller."""
        return (centres * (1000 / self.card.sample_rate)).float()

    def _side_by_side(self, tracks: list[FrameTrack], centres: Tensor) -> Tensor:
        """All tracks at `centres`, ``(n_sounds, n_times, channels)``; the tracks are consumed."""
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

    def padded_clip(self, sound: Sound) -> PaddedClip:
        """Lengths of a clip, padded so that every stage yields the requested frames."""
        resampler = self.front_end.resampler_for(sound)
        return padded_clip(sound, resampler, self.grid, self.shortest_input)

    def _track(self, name: str, clip: PaddedClip) -> FrameTrack:
        stage = self.stages[name]
        if stage is self.grid:
            return FrameTrack(stage, clip.within.start, clip.within.stop)
        return FrameTrack(stage, 0, stage.n_frames(clip.n_padded))


def _check_sound(sound: object) -> None:
    if isinstance(sound, Tensor) or not all(
        hasattr(sound, name) for name in ("sample_rate", "n_sounds", "n_samples", "read", "rewind")
    ):
        raise TypeError(
            "expected a sound that is read piece by piece, such as AudioFile(path), got "
            f"{type(sound).__name__}; give a tensor to embed_tensor, a path or an array to "
            "hear_brainsoundnet.embed_file or embed_array"
        )


def _join(parts: list[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
