"""Text description of a checkpoint: the card and the table of its stages."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.command_line import printable
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS, Layer

DEPTH = 2  # levels of the provenance that are shown
CUT = "[...]"
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
    """The stage table in Markdown."""
    lines = [STAGE_COLUMNS, ["---"] * len(STAGE_COLUMNS), *stage_rows(layers, sample_rate)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def describe(checkpoint: Checkpoint, *, full: bool = False) -> str:
    """The card of a checkpoint as text for a terminal, control characters escaped.

    With `full` nothing is shortened; otherwise long texts are cut after their first line, and the
    provenance after its second level.
    """
    card = checkpoint.card
    depth = sys.maxsize if full else DEPTH

    def text(value: str) -> str:
        first, _, rest = (value or "not stated").partition("\n")
        return value if full and rest else first + (f" {CUT}" if rest else "")

    lines = [
        f"{card.name}" + ("" if card.trained else "  (UNTRAINED: random weights)"),
        f"hash          {checkpoint.hash}",
        f"sample rate   {card.sample_rate} Hz",
        f"input scale   {card.input_scale:g}",
        f"licence       {text(card.licence)}",
        f"use           {text(card.use)}",
    ]
    if card.heads:
        lines.append("heads         " + ", ".join(f"{h.name} ({h.channels})" for h in card.heads))
    if card.read_out is not None:
        read_out = card.read_out
        lines.append(
            f"read-out      {read_out.stage} -> {len(read_out.target_ids)} targets, "
            f"{read_out.n_delays} TRs of {read_out.tr:g} s, sampled by {read_out.tr_sampling}, "
            f"{f'rank {read_out.rank}, ' if read_out.rank else ''}"
            f"weights {', '.join(read_out.names)}"
        )
    table = [list(STAGE_COLUMNS), *stage_rows(card.layers, card.sample_rate)]
    widths = [max(len(row[i]) for row in table) for i in range(len(STAGE_COLUMNS))]
    lines.append("stages")
    lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    for title, values in (("scores", card.scores), ("provenance", card.provenance)):
        lines.append(f"{title}" + ("" if values else "    none"))
        lines += outline(values, depth=depth)
    if not full and any(CUT in line for line in lines):
        lines.append(f"{CUT}: shortened; --full shows all, --json for programs")
    return printable("\n".join(lines))


def card_as_json(checkpoint: Checkpoint) -> str:
    """The whole card with the hash, as JSON."""
    return json.dumps({"hash": checkpoint.hash, **checkpoint.card.document()}, indent=1)


def outline(
    values: Mapping[str, JsonValue], indent: str = "  ", depth: int = sys.maxsize
) -> list[str]:
    """Nested values as indented lines, `depth` levels of them; hashes are truncated.

    Examples
    --------
    >>> sources = [{"name": "voices", "hours": 1.25}, {"name": "games", "hours": 2.0}]
    >>> print("\\n".join(outline({"seed": 0, "corpus": {"sources": sources}})))
      seed: 0
      corpus
        sources
          - name: voices, hours: 1.25
          - name: games, hours: 2
    >>> print("\\n".join(outline({"seed": 0, "corpus": {"sources": sources}}, depth=2)))
      seed: 0
      corpus
        sources: 2 [...]
    """
    lines = []
    for key, value in values.items():
        if depth == 1 and isinstance(value, Mapping | list) and value:
            lines.append(f"{indent}{key}: {len(value)} {CUT}")
        elif isinstance(value, Mapping):
            lines += [f"{indent}{key}", *outline(value, indent + "  ", depth - 1)]
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            lines += [f"{indent}{key}", *(f"{indent}  - {_on_a_line(each)}" for each in value)]
        else:
            lines.append(f"{indent}{key}: {_on_a_line(value)}")
    return lines


def _on_a_line(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_on_a_line(each)}" for key, each in value.items())
    if isinstance(value, list):
        return " ".join(_on_a_line(each) for each in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value[:12] if re.fullmatch("[0-9a-f]{40,64}", value) else value
    return "none" if value is None else str(value)
