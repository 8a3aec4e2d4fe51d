"""What a checkpoint is, in words: the card and the table of its stages."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS, Layer

STAGE_COLUMNS = ("stage", "width", "hop", "first frame at", "receptive field", "shortest input")


def stage_rows(layers: Sequence[Layer] = LAYERS, sample_rate: int = 22_050) -> list[list[str]]:
    """One row of text per stage, under :data:`STAGE_COLUMNS`.

    Examples
    --------
    >>> stage_rows()[5]
    ['conv4', '128', '46.44 ms', '34.0 ms', '373 ms', '222 samples']
    """
    rows = []
    for stage in stage_geometry(layers).values():
        ms = 1000 / sample_rate
        first = stage.centre + stage.frames_within(0).start * stage.hop
        rows.append(
            [
                stage.name,
                str(stage.channels),
                f"{stage.hop * ms:.2f} ms",
                f"{first * ms:.1f} ms",
                f"{stage.receptive_field * ms:.0f} ms",
                f"{stage.shortest_input()} samples",
            ]
        )
    return rows


def stage_table(layers: Sequence[Layer] = LAYERS, sample_rate: int = 22_050) -> str:
    """The same as a Markdown table."""
    lines = [STAGE_COLUMNS, ["---"] * len(STAGE_COLUMNS), *stage_rows(layers, sample_rate)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def describe(checkpoint: Checkpoint) -> str:
    """The card of a checkpoint as text for a terminal."""
    card = checkpoint.card
    lines = [
        f"{card.name}" + ("" if card.trained else "  (UNTRAINED: random weights)"),
        f"hash          {checkpoint.hash}",
        f"sample rate   {card.sample_rate} Hz",
        f"input scale   {card.input_scale:g}",
        f"licence       {card.licence or 'not stated'}",
        f"use           {card.use or 'not stated'}",
    ]
    if card.heads:
        lines.append("heads         " + ", ".join(f"{h.name} ({h.channels})" for h in card.heads))
    if card.read_out is not None:
        read_out = card.read_out
        lines.append(
            f"read-out      {read_out.stage} -> {len(read_out.target_ids)} targets, "
            f"{read_out.n_delays} TRs of {read_out.tr:g} s, alignment {read_out.alignment}, "
            f"weights {', '.join(read_out.names)}"
        )
    for title, values in (("provenance", card.provenance), ("scores", card.scores)):
        lines.append(f"{title}" + ("" if values else "    none"))
        lines += [f"  {key}: {_plain(value)}" for key, value in values.items()]
    table = [list(STAGE_COLUMNS), *stage_rows(card.layers, card.sample_rate)]
    widths = [max(len(row[i]) for row in table) for i in range(len(STAGE_COLUMNS))]
    lines.append("stages")
    lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    return "\n".join(lines)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
