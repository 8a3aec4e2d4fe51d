"""Bounds on layer tables, against resource exhaustion.

A card is a few bytes, but its layer table can demand any amount of memory: padding, the output of a
wide first layer, a receptive field of hours. The bounds allow for networks several times wider,
longer or deeper than SoundNet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from hear_brainsoundnet.soundnet import Head, Layer, SoundNet, stage_names

MOST_ROWS = 64
# The published network has kernels of 64, strides of 2, 1,024 channels and pools by 8.
LARGEST = {"kernel": 1_024, "stride": 256, "padding": 512, "channels": 8_192, "pool": 32}
LARGEST_HEAD = {"kernel": 1_024, "stride": 256, "channels": 65_536}
# conv1 of the published network has 8 numbers per sample; conv7's receptive field is 91,166
# samples.
MOST_NUMBERS_PER_SAMPLE = 64
LONGEST_FIELD = 2**21  # samples: the maximum of one pass

# Names that are attributes of the instance; a stage could not be added under them.
_TAKEN = frozenset(dir(SoundNet(())))


def check_layers(layers: Sequence[Layer]) -> None:
    """Reject layer tables that are impossible or out of proportion.

    Raises
    ------
    ValueError
        Names the row, its value and the bound.

    Examples
    --------
    >>> check_layers([Layer("conv1", kernel=64, stride=2, padding=33, channels=16)])
    Traceback (most recent call last):
    ...
    ValueError: conv1: padding = 33 is out of range, expected at most half of the kernel, 32
    """
    _check_table(layers, LARGEST)
    if not layers:
        raise ValueError("no rows, expected at least one layer")
    stages = stage_names(layers)
    if len(set(stages)) < len(stages):
        raise ValueError(f"a name occurs twice among the stages {', '.join(stages)}")
    hop = field = 1
    for layer in layers:
        if layer.padding > layer.kernel // 2:
            raise ValueError(
                f"{layer.name}: padding = {layer.padding} is out of range, expected at most half "
                f"of the kernel, {layer.kernel // 2}"
            )
        field += hop * (layer.kernel - 1)
        hop *= layer.stride
        if layer.channels > MOST_NUMBERS_PER_SAMPLE * hop:
            raise ValueError(
                f"{layer.name}: {layer.channels} channels every {hop} samples are out of range, "
                f"expected at most {MOST_NUMBERS_PER_SAMPLE} numbers per sample"
            )
        field += hop * max(layer.pool - 1, 0)
        hop *= max(layer.pool, 1)
        if max(field, hop) > LONGEST_FIELD:
            raise ValueError(
                f"{layer.name}: a frame for {max(field, hop)} samples is out of range, expected at "
                f"most {LONGEST_FIELD}"
            )


def check_heads(heads: Sequence[Head], layers: Sequence[Layer]) -> None:
    """Reject impossible tables of heads; raises as :func:`check_layers`."""
    _check_table(heads, LARGEST_HEAD)
    for head in heads:
        if head.name in stage_names(layers):
            raise ValueError(f"{head.name!r} is a stage and a head")


def _check_table(table: Sequence[Layer | Head], largest: dict[str, int]) -> None:
    if len(table) > MOST_ROWS:
        raise ValueError(f"{len(table)} rows, expected at most {MOST_ROWS}")
    names = [row.name for row in table]
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice")
    for row in table:
        is_name = re.fullmatch(r"[a-z][a-z0-9_]{0,31}", row.name)
        if not is_name or (isinstance(row, Layer) and row.name in _TAKEN):
            raise ValueError(f"{row.name[:40]!r} is not a stage name")
        for column, value in asdict(row).items():
            lowest = 0 if column in ("padding", "pool") else 1
            if column != "name" and not lowest <= value <= largest[column]:
                raise ValueError(
                    f"{row.name}: {column} = {value} is out of range, expected {lowest} to "
                    f"{largest[column]}"
                )
