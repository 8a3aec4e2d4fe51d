"""Short clips of different lengths in one pass, each with exactly its individual embeddings.

For a clip of a second, calling the layers costs several times its computation; sixteen clips cost
little more than three. Frames beyond the end of a clip are set to zero after each layer
(:func:`hear_brainsoundnet.streaming.masked_frames`), so that each clip has exactly the frames it
has alone.

Passes always have the same shapes: :data:`CLIPS` clips (missing ones are zeros), of a length that
depends on the clip alone. Floating-point sums are then taken in the same order whatever the other
clips are, and equal files have bit-identical embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hear_brainsoundnet.audio import Sound, TensorSound, check_audio
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.modes import is_traced, one_thread_after_fork

CLIPS = 16  # per pass
LENGTH_STEP = 2**12  # samples at the network's rate; lengths are rounded up to multiples of it
LONGEST = 2**15  # samples; longer clips use a pass of their own efficiently
FEW_CLIPS = 4  # fewer are as fast one by one


@dataclass(frozen=True)
class ShortClip:
    """A preprocessed clip: audio ``(n_samples,)`` at the network's rate and scale, with its
    individual padding, and the frames of the time grid within the clip.
    """

    audio: Tensor
    within: range

    @property
    def length(self) -> int:
        """Length in samples of the passes it can share."""
        return _rounded_up(len(self.audio))


def read_short(model: EmbeddingModel, sound: Sound) -> ShortClip | None:
    """Read a clip if it is short enough to share a pass; otherwise None, and nothing is read."""
    one_thread_after_fork()
    clip = model.padded_clip(sound)
    if _rounded_up(clip.n_padded) > min(LONGEST, model.samples_per_pass // CLIPS):
        return None
    prepared = model.front_end.prepared(sound, next(model.soundnet.parameters()))
    return ShortClip(prepared.read(0, clip.n_padded)[0], clip.within)


def embed_clips(
    model: EmbeddingModel,
    clips: Sequence[Tensor],
    *,
    scene: bool = True,
    timestamps: bool = True,
) -> list[Embeddings]:
    """Embeddings of clips of any lengths, each as if embedded alone; short ones share passes.

    Clips are floating point, ``(n_samples,)`` each, at ``model.sample_rate``. Embeddings are for
    one clip each, in their order and on their devices.

    Raises
    ------
    TypeError, ValueError
        If there are none, or one is not a mono clip; the message gives its position.
    """
    if not clips:
        raise ValueError("expected at least one sound, got an empty list")
    batches = [_batch_of_one(clip, place) for place, clip in enumerate(clips)]
    if is_traced() or _need_gradients(model, clips):
        return [model.embed_tensor(each, scene=scene, timestamps=timestamps) for each in batches]
    found: dict[int, Embeddings] = {}
    waiting: dict[int, list[tuple[int, ShortClip]]] = {}

    def embed_group(group: list[tuple[int, ShortClip]]) -> None:
        if len(group) < FEW_CLIPS:
            for place, _ in group:
                found[place] = model.embed_tensor(
                    batches[place], scene=scene, timestamps=timestamps
                )
            return
        together = embed_together(
            model, [clip for _, clip in group], scene=scene, timestamps=timestamps
        )
        for (place, _), embeddings in zip(group, together, strict=True):
            found[place] = embeddings.to(clips[place].device)

    for place, batch in enumerate(batches):
        with torch.no_grad():
            short = read_short(model, TensorSound(batch, model.sample_rate))
        if short is None:
            found[place] = model.embed_tensor(batch, scene=scene, timestamps=timestamps)
            continue
        group = waiting.setdefault(short.length, [])
        group.append((place, short))
        if len(group) == CLIPS:
            embed_group(waiting.pop(short.length))
    for group in waiting.values():
        embed_group(group)
    return [found[place] for place in range(len(clips))]


def _batch_of_one(clip: object, place: int) -> Tensor:
    try:
        if isinstance(clip, Tensor) and clip.ndim != 1:
            raise ValueError(
                f"expected sounds of shape (n_samples,) in a list, got {tuple(clip.shape)}; "
                "average channels, and split batches"
            )
        return check_audio(clip[None] if isinstance(clip, Tensor) else clip)
    except (TypeError, ValueError) as error:
        raise type(error)(f"sound {place} of the list: {error}") from error


def _need_gradients(model: EmbeddingModel, clips: Sequence[Tensor]) -> bool:
    tensors = (*clips, *model.soundnet.parameters())
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


@torch.no_grad()
def embed_together(
    model: EmbeddingModel,
    clips: Sequence[ShortClip],
    *,
    scene: bool = True,
    timestamps: bool = True,
) -> list[Embeddings]:
    """Embeddings of each clip, equal to :meth:`EmbeddingModel.embed` on it alone.

    Clips are results of :func:`read_short` of the same model, 1 to :data:`CLIPS`, all of the same
    :attr:`ShortClip.length`; a ValueError if not.
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
    frames = model.masked_frames(model.network, audio, n_samples, scene, timestamps)
    found = [Embeddings() for _ in clips]
    if scene:
        table = model.pooled_scene(frames).cpu()
        found = [Embeddings(scene=table[i : i + 1]) for i in range(len(clips))]
    if timestamps:
        first, last = clips[0].within.start, max(clip.within.stop for clip in clips)
        centres = model.centres(first, last)
        tracks = model.tracks_at(frames, centres).cpu()
        milliseconds = model.milliseconds(centres)[None]
        for i, clip in enumerate(clips):
            n_frames = len(clip.within)
            found[i] = Embeddings(
                found[i].scene,
                tracks[i : i + 1, :n_frames],
                milliseconds[:, :n_frames],
            )
    return found


def _rounded_up(n_samples: int) -> int:
    return -(-n_samples // LENGTH_STEP) * LENGTH_STEP
