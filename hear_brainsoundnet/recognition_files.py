"""Recognition results as a table on the terminal, as CSV and JSON, and as a plot over time."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hear_brainsoundnet.recognition import CALLED, Recognition
from hear_brainsoundnet.sound_files import printable
from hear_brainsoundnet.tables import csv_table, path_cell, text_cell

COLUMNS = ("file", "centre_s", "repeats", "head", "rank", "label", "probability")
N_DRAWN = 8  # labels per head in a plot


@dataclass(frozen=True)
class Named:
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


def as_csv(recognised: Sequence[Named], n: int) -> bytes:
    """One row per file, time, head and rank; the whole clip has no time."""
    rows = [row for each in recognised for row in each.rows(n)]
    return csv_table(
        COLUMNS,
        [(path_cell(str(row[0])), *row[1:5], text_cell(str(row[5])), row[6]) for row in rows],
    )


def as_json(recognised: Sequence[Named], n: int) -> bytes:
    """The same rows as a list of objects."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for each in recognised for row in each.rows(n)]
    return json.dumps(rows, indent=1).encode()


def picture(named: Named) -> bytes:
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
