"""Short clips of different lengths in one pass, each with the embeddings that it has alone.

A clip of a second keeps the network busy for a fraction of what it takes to call its layers one by
one; sixteen clips cost little more than three. But a clip that is followed by silence is not the
clip alone: silence becomes something else than zero in the first layer, while beyond the end of a
clip every layer sees zeros, its padding. So after each layer the frames that lie beyond the end of
their own clip are set to zero. What is left is exactly what the network gives for the clip alone.

Passes always have the same shapes: as many clips as :data:`CLIPS` (silence in place of those that
are missing), of a length that depends on the clip alone. Sums of floating-point numbers are then
taken in the same order whoever comes along, and equal files have equal embeddings, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.audio import Sound
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings, cached_resampler
from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
from hear_brainsoundnet.interpolation import frames_at
from hear_brainsoundnet.pooling import pooled
from hear_brainsoundnet.streaming import Segment

CLIPS = 16  # per pass
LENGTH_STEP = 2**12  # samples at the network's rate; lengths are rounded up to multiples of it
LONGEST = 2**15  # samples; what is longer fills a pass of its own well enough


@dataclass(frozen=True)
class ShortClip:
    """A clip that is ready for the network.

    Attributes
    ----------
    audio : Tensor
        ``(n_samples,)`` at the network's rate and scale, with what it is padded with when alone.
    within : range
        Frames of the time grid that lie within the clip.
    """

    audio: Tensor
    within: range

    @property
    def length(self) -> int:
        """Of the passes that it may take part in, in samples."""
        return _rounded_up(len(self.audio))


def read_short(model: EmbeddingModel, sound: Sound) -> ShortClip | None:
    """Read a sound that is short enough to share a pass; None, and nothing is read, if it is not.

    Raises
    ------
    ValueError
        If the sound contains NaN or infinity.
    """
    resampler = cached_resampler(sound.sample_rate, model.card.sample_rate)
    clip = model.padded_clip(sound, resampler)
    if _rounded_up(clip.n_padded) > min(LONGEST, model.samples_per_pass // CLIPS):
        return None
    sound, gain = model.levelled(sound)
    whole = Segment(0, clip.n_padded, {}, {})
    audio, _ = model.read_segment(sound, gain, resampler, clip, whole)
    return ShortClip(audio[0], clip.within)


@torch.no_grad()
def embed_together(
    model: EmbeddingModel,
    clips: Sequence[ShortClip],
    *,
    scene: bool = True,
    timestamps: bool = True,
) -> list[Embeddings]:
    """Embeddings of each clip, as :meth:`EmbeddingModel.embed` gives them for it alone.

    Parameters
    ----------
    model : EmbeddingModel
        Whose :func:`read_short` the clips come from.
    clips : sequence of ShortClip
        Up to :data:`CLIPS`, all of the same :attr:`ShortClip.length`.
    scene, timestamps : bool
        Which kinds to compute.

    Raises
    ------
    ValueError
        If there are none or too many clips, or they are of different lengths.
    """
    lengths = {clip.length for clip in clips}
    if len(lengths) != 1 or len(clips) > CLIPS:
        raise ValueError(
            f"expected 1 to {CLIPS} clips whose lengths round to the same, got {len(clips)} "
            f"clips and lengths {sorted(lengths)}"
        )
    (length,) = lengths
    rows = [F.pad(clip.audio, (0, length - len(clip.audio))) for clip in clips]
    audio = torch.stack(rows + [torch.zeros_like(rows[0])] * (CLIPS - len(clips)))
    n_samples = [len(clip.audio) for clip in clips] + [length] * (CLIPS - len(clips))
    terms = [*(model.scene_terms if scene else ()), *(model.timestamp_terms if timestamps else ())]
    frames = masked_frames(model, audio, n_samples, {term.stage for term in terms})
    found = [Embeddings() for _ in clips]
    if scene:
        # No maximum is below the zeros beyond the end, which the ReLU has seen to.
        parts = [pooled(*frames[term.stage], term) for term in model.scene_terms]
        table = torch.cat(parts, dim=1).float().cpu()
        found = [Embeddings(scene=table[i : i + 1]) for i in range(len(clips))]
    if timestamps:
        first, last = clips[0].within.start, max(clip.within.stop for clip in clips)
        centres = torch.arange(first, last, dtype=torch.float64)
        centres = model.grid.centre + centres * model.grid.hop
        tracks = [
            _held(*frames[term.stage], model.stages[term.stage], centres)
            for term in model.timestamp_terms
        ]
        tracks_side_by_side = torch.cat(tracks, dim=2).float().cpu()
        milliseconds = (centres * (1000 / model.card.sample_rate)).float()[None]
        for i, clip in enumerate(clips):
            n_frames = len(clip.within)
            found[i] = Embeddings(
                found[i].scene,
                tracks_side_by_side[i : i + 1, :n_frames],
                milliseconds[:, :n_frames],
            )
    return found


def masked_frames(
    model: EmbeddingModel, audio: Tensor, n_samples: Sequence[int], wanted: set[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Frames of stages, zero beyond the end of each clip, and how many there are before it.

    Parameters
    ----------
    audio : Tensor
        ``(n_clips, n_longest)``.
    n_samples : sequence of int
        Of each clip.
    wanted : set of str
        Names of stages.

    Returns
    -------
    dict of (Tensor, Tensor)
        For each of them frames ``(n_clips, channels, n_frames)`` and numbers ``(n_clips,)``.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    layers = model.soundnet.layers
    pooled_at_once = {layer.name for layer in layers if layer.pool} - wanted
    below: tuple[str, Tensor] | None = None
    for name, stage in stage_geometry(layers).items():
        if name in pooled_at_once:  # whole windows lie within a clip: nothing to set to zero yet
            continue
        if below is None:
            frames = model.network(audio, [name])[name]
        else:
            frames = model.network.continue_from(*below, [name])[name]
        numbers = torch.tensor([stage.n_frames(n) for n in n_samples], device=frames.device)
        places = torch.arange(frames.shape[2], device=frames.device)
        frames = frames.masked_fill((places >= numbers[:, None])[:, None], 0)
        if name in wanted:
            found[name] = frames, numbers
        if len(found) == len(wanted):
            break
        below = name, frames
    return found


def _rounded_up(n_samples: int) -> int:
    return -(-n_samples // LENGTH_STEP) * LENGTH_STEP


def _held(frames: Tensor, numbers: Tensor, stage: StageGeometry, times: Tensor) -> Tensor:
    """Frames at `times`, the last one of each clip held beyond its end."""
    places = torch.arange(frames.shape[2], device=frames.device)
    own = torch.minimum(places, numbers[:, None] - 1)[:, None].expand_as(frames)
    return frames_at(frames.gather(2, own).transpose(1, 2), stage, times)
