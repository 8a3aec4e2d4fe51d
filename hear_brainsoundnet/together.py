"""Short clips of different lengths in one pass, each with the embeddings that it has alone.

A clip of a second keeps the network busy for a fraction of what it takes to call its layers one by
one; sixteen clips cost little more than three. What lies beyond the end of a clip is set to zero
after each layer (:mod:`hear_brainsoundnet.masked`), so that each has the frames that it has alone.

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
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.masked import held_at, masked_frames
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
    clip = model.padded_clip(sound)
    if _rounded_up(clip.n_padded) > min(LONGEST, model.samples_per_pass // CLIPS):
        return None
    sound, gain = model.front_end.levelled(sound)
    whole = Segment(0, clip.n_padded, {}, {})
    weight = next(model.soundnet.parameters())
    audio, _ = model.front_end.read_segment(sound, gain, clip, whole, weight)
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
    n_samples = torch.tensor(
        [len(clip.audio) for clip in clips] + [length] * (CLIPS - len(clips)), device=audio.device
    )
    terms = [*(model.scene_terms if scene else ()), *(model.timestamp_terms if timestamps else ())]
    frames = masked_frames(model.network, audio, n_samples, {term.stage for term in terms})
    found = [Embeddings() for _ in clips]
    if scene:
        # No maximum is below the zeros beyond the end, which the ReLU has seen to.
        parts = [pooled(*frames[term.stage], term) for term in model.scene_terms]
        table = torch.cat(parts, dim=1).float().cpu()
        found = [Embeddings(scene=table[i : i + 1]) for i in range(len(clips))]
    if timestamps:
        first, last = clips[0].within.start, max(clip.within.stop for clip in clips)
        centres = model.centres(first, last)
        tracks = [
            held_at(*frames[term.stage], model.stages[term.stage], centres)
            for term in model.timestamp_terms
        ]
        tracks_side_by_side = torch.cat(tracks, dim=2).float().cpu()
        milliseconds = model.milliseconds(centres)[None]
        for i, clip in enumerate(clips):
            n_frames = len(clip.within)
            found[i] = Embeddings(
                found[i].scene,
                tracks_side_by_side[i : i + 1, :n_frames],
                milliseconds[:, :n_frames],
            )
    return found


def _rounded_up(n_samples: int) -> int:
    return -(-n_samples // LENGTH_STEP) * LENGTH_STEP
