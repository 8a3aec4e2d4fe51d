"""The checkpoints included in the package, and look-up by name or path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hear_brainsoundnet.checkpoint import Checkpoint, read_checkpoint

CHECKPOINT_FOLDER = Path(__file__).parent / "checkpoints"


@dataclass(frozen=True)
class Named:
    """A checkpoint included in the package: its file and expected hash."""

    file: str
    hash: str


NAMED = {
    # The original after word training and distillation: see benchmarks/default_checkpoint.
    "distilled": Named(
        "soundnet-distilled.safetensors",
        "609d5b2d8191cff9a6869f49d9c0f48124c5a2a61d60e4918eabfd1063cacc0c",
    ),
    "natural-sounds": Named(
        "soundnet-natural-sounds.safetensors",
        "47a7e25588db2890fbe3639f6bc19fe17054d364cf6754ae0a992cd897071742",
    ),
    "pretrained": Named(
        "soundnet-pretrained.safetensors",
        "4f79a4c3a979f132333d22ee278b587a94e2152ac02b9bc5a600014cc48d0bd3",
    ),
    # The original network without its heads, in the precision of `convert --without-heads --half`.
    "soundnet": Named(
        "soundnet.safetensors",
        "4cff744360f3c8fd99110a539e58cd6d94f3df58b005de51231b5c6ed145b564",
    ),
    "untrained": Named(
        "soundnet-untrained.safetensors",
        "a0383d32d398a95a5e04b0e5a106c0f2f4e9d5f0e3427bb28a2a3160b3de43b9",
    ),
}
DEFAULT = "distilled"


def load_checkpoint(name_or_path: str | os.PathLike[str] = "") -> Checkpoint:
    """Find a checkpoint by name or path and read it.

    Parameters
    ----------
    name_or_path : str or path-like
        "" or "default" for the embedded default, the name of another checkpoint of the package,
        or the path of a file.

    Raises
    ------
    FileNotFoundError
        If it is neither a name nor a file.
    ValueError
        If the file is not a valid checkpoint; for a foreign weight file the message gives the
        conversion command.

    Examples
    --------
    >>> load_checkpoint("untrained").card.trained
    False
    """
    name = os.fspath(name_or_path)
    if name in ("", "default"):
        return _load_named(DEFAULT)
    if name in NAMED:
        return _load_named(name)
    if not Path(name).exists():
        raise FileNotFoundError(
            f"no checkpoint {name!r}: neither a file nor one of the names "
            f"{', '.join(('default', *NAMED))}"
        )
    return read_checkpoint(name)


def _load_named(name: str) -> Checkpoint:
    named = NAMED[name]
    checkpoint = read_checkpoint(CHECKPOINT_FOLDER / named.file)
    if checkpoint.hash != named.hash:
        raise ValueError(
            f"the file of checkpoint {name!r} has hash {checkpoint.hash[:12]}, expected "
            f"{named.hash[:12]}: it was replaced; reinstall the package"
        )
    return checkpoint
