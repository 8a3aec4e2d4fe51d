"""The card of a checkpoint: validated metadata that accompany the weights.

A card is a few bytes, but its layer table can demand any amount of memory: padding, the output of a
wide first layer, a receptive field of hours. The bounds allow for networks several times wider,
longer or deeper than SoundNet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from hear_brainsoundnet.encoder import POWER_TRANSFORMS, READ_OUT_NAME, TR_SAMPLINGS, ReadOut
from hear_brainsoundnet.soundnet import LAYERS, Head, Layer, SoundNet, stage_names

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

# 1 had no labels, 2 no rank of the read-out; each is still written where it suffices.
FORMAT_VERSION = 3
ALIGNMENT = "alignment"  # name of tr_sampling in files
MOST_DELAYS = 1_024
MOST_COMPONENTS = 65_536
SHORTEST_TR, LONGEST_TR = 0.01, 1000  # seconds


class Card(BaseModel):
    """Metadata of a checkpoint.

    Attributes
    ----------
    name : str
        Short, human-readable name.
    trained : bool
        False for random weights.
    input_scale : float
        Audio within [-1, 1] is multiplied by this before it enters the network: 256 for weights
        of the original SoundNet, 1 for the published brain-aligned ones.
    sample_rate : int
        Rate of the network's audio in Hz.
    layers, heads : tuple of Layer, tuple of Head
        The layer table, and the classifiers in the file.
    read_out : ReadOut or None
        The fMRI read-out, if any.
    labels : dict of tuple of str
        For each head, the label of each of its channels; optional per head.
    provenance, scores : dict
        Data, runs, recipe, seed, package version, parent checkpoint; measured scores.
    licence, use : str
        Licence text, and permitted and discouraged uses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format_version: int = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    trained: bool
    input_scale: Annotated[float, Field(gt=0, le=1e6)]
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)] = 22_050
    layers: tuple[Layer, ...] = LAYERS
    heads: tuple[Head, ...] = ()
    read_out: ReadOut | None = None
    labels: dict[str, tuple[str, ...]] = {}
    provenance: dict[str, JsonValue] = {}
    scores: dict[str, JsonValue] = {}
    licence: str = ""
    use: str = ""

    @field_validator("name")
    @classmethod
    def _printable_name(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError(f"{name!r} is not one line of printable text")
        return name

    @field_validator("layers")
    @classmethod
    def _plausible_layers(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        check_layers(layers)
        return layers

    @model_validator(mode="after")
    def _plausible_heads(self) -> Card:
        check_heads(self.heads, self.layers)
        widths = {head.name: head.channels for head in self.heads}
        for head, labels in self.labels.items():
            if len(labels) != widths.get(head):
                expected = widths.get(head, "none")
                raise ValueError(
                    f"{len(labels)} labels for head {head[:40]!r}, expected {expected}"
                )
        return self

    def document(self) -> dict[str, Any]:
        """The card as a JSON object, in the oldest format that has all it holds."""
        document = self.model_dump(mode="json")
        version = 1
        if self.labels:
            version = 2
        else:
            del document["labels"]
        if self.read_out is not None:
            if self.read_out.rank is not None or len(self.read_out.stages) > 1:
                version = FORMAT_VERSION
            if self.read_out.rank is None:
                del document["read_out"]["rank"]
            document["read_out"][ALIGNMENT] = document["read_out"].pop("tr_sampling")
        return document | {"format_version": version}

    @field_validator("read_out", mode="before")
    @classmethod
    def _from_document(cls, read_out: Any) -> Any:
        if isinstance(read_out, dict) and ALIGNMENT in read_out:
            read_out = {**read_out, "tr_sampling": read_out[ALIGNMENT]}
            del read_out[ALIGNMENT]
        return read_out

    @field_validator("read_out")
    @classmethod
    def _plausible_read_out(cls, read_out: ReadOut | None) -> ReadOut | None:
        if read_out is None:
            return None
        if read_out.tr_sampling not in TR_SAMPLINGS:
            raise ValueError(f"tr_sampling {read_out.tr_sampling!r} is none of {TR_SAMPLINGS}")
        is_tr = read_out.tr == 0 or SHORTEST_TR <= read_out.tr < LONGEST_TR
        if not 1 <= read_out.n_delays <= MOST_DELAYS or not is_tr:
            raise ValueError(
                f"{read_out.n_delays} delays of {read_out.tr} s are out of range, expected at most "
                f"{MOST_DELAYS} of {SHORTEST_TR} to {LONGEST_TR} s"
            )
        if (read_out.tr_sampling == "mean") != (read_out.tr == 0):
            raise ValueError(
                f"tr_sampling {read_out.tr_sampling} does not go with TR {read_out.tr} s"
            )
        if read_out.tr_sampling == "mean" and read_out.n_delays != 1:
            raise ValueError("sound responses have no time axis and one delay")
        if read_out.power_transform not in POWER_TRANSFORMS:
            raise ValueError(f"power transform is none of {POWER_TRANSFORMS}")
        if not read_out.target_ids or sorted(set(read_out.target_ids)) != list(read_out.target_ids):
            raise ValueError("target ids must be ascending, each once, at least one")
        if read_out.target_names and len(read_out.target_names) != len(read_out.target_ids):
            raise ValueError("target names must be as many as target ids")
        if read_out.rank is not None and not 1 <= read_out.rank <= MOST_COMPONENTS:
            raise ValueError(f"a rank of {read_out.rank} is not within 1 to {MOST_COMPONENTS}")
        if not read_out.names or not all(map(READ_OUT_NAME.fullmatch, read_out.names)):
            raise ValueError(f"{read_out.names!r} are not names of weights")
        return read_out


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


def joined_licences(*licences: str) -> str:
    """Licence texts of a checkpoint made from several sources, without duplicates or empty ones.

    Examples
    --------
    >>> joined_licences("", "MIT License", "CC BY 4.0", "MIT License")
    'MIT License\\n\\nCC BY 4.0'
    """
    return "\n\n".join(dict.fromkeys(licence for licence in licences if licence))
