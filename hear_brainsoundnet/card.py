"""The card of a checkpoint: all that is known of it besides its weights, validated."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from hear_brainsoundnet.encoder import ALIGNMENTS, POWER_TRANSFORMS, ReadOut
from hear_brainsoundnet.soundnet import LAYERS, Head, Layer, SoundNet

FORMAT_VERSION = 1
LARGEST_NUMBER = 65_536  # of kernels, widths, delays: more is no SoundNet but a memory bomb


class Card(BaseModel):
    """What is known of a checkpoint besides its weights.

    Attributes
    ----------
    name : str
        Short name for people.
    trained : bool
        False for random weights.
    input_scale : float
        Audio within [-1, 1] is multiplied by this before it enters the network: 256 for weights
        of the original SoundNet, 1 for the published brain-aligned ones.
    sample_rate : int
        Rate of the network's audio in Hz.
    layers, heads : tuple of Layer, tuple of Head
        The layer table, and the classifiers that the file brings.
    read_out : ReadOut or None
        The read-out to fMRI, where the file brings one.
    provenance, scores : dict
        Data, runs, recipe, seed, package version, parent checkpoint; measured scores.
    licence, use : str
        Terms, and how the checkpoint may and may not be used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format_version: int = FORMAT_VERSION
    name: Annotated[str, Field(min_length=1, max_length=200)]
    trained: bool
    input_scale: Annotated[float, Field(gt=0, le=1e6)]
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)] = 22_050
    layers: tuple[Layer, ...] = LAYERS
    heads: tuple[Head, ...] = ()
    read_out: ReadOut | None = None
    provenance: dict[str, JsonValue] = {}
    scores: dict[str, JsonValue] = {}
    licence: str = ""
    use: str = ""

    @field_validator("layers", "heads")
    @classmethod
    def _plausible_table(cls, table: tuple[Layer | Head, ...]) -> tuple[Layer | Head, ...]:
        if len(table) > 64:
            raise ValueError(f"{len(table)} rows, expected at most 64")
        names = [row.name for row in table]
        if len(set(names)) < len(names):
            raise ValueError("a name stands twice")
        for row in table:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", row.name) or hasattr(SoundNet, row.name):
                raise ValueError(f"{row.name!r} is not a stage name")
            for column, value in asdict(row).items():
                lowest = 0 if column in ("padding", "pool") else 1
                if column != "name" and not lowest <= value <= LARGEST_NUMBER:
                    raise ValueError(f"{row.name}: {column} = {value} is out of range")
        return table

    @field_validator("read_out")
    @classmethod
    def _plausible_read_out(cls, read_out: ReadOut | None) -> ReadOut | None:
        if read_out is None:
            return None
        if read_out.alignment not in ALIGNMENTS:
            raise ValueError(f"alignment {read_out.alignment!r} is none of {ALIGNMENTS}")
        if not 1 <= read_out.n_delays <= LARGEST_NUMBER or not 0 <= read_out.tr < 1000:
            raise ValueError(f"{read_out.n_delays} delays of {read_out.tr} s are out of range")
        if (read_out.alignment == "mean") != (read_out.tr == 0):
            raise ValueError(f"alignment {read_out.alignment} does not go with TR {read_out.tr} s")
        if read_out.alignment == "mean" and read_out.n_delays != 1:
            raise ValueError("sound responses have no time axis and one delay")
        if read_out.power_transform not in POWER_TRANSFORMS:
            raise ValueError(f"power transform is none of {POWER_TRANSFORMS}")
        if not read_out.target_ids or sorted(set(read_out.target_ids)) != list(read_out.target_ids):
            raise ValueError("target ids must be ascending, each once, at least one")
        if read_out.target_names and len(read_out.target_names) != len(read_out.target_ids):
            raise ValueError("target names must be as many as target ids")
        if not read_out.names or any(not re.fullmatch(r"[\w-]+", name) for name in read_out.names):
            raise ValueError(f"{read_out.names!r} are not names of weights")
        return read_out
