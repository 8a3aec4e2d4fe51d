"""The checkpoint file: one ``.safetensors`` file with the tensors and a card.

The card is a JSON document in the file's metadata: layer table, amplitude scale and rate, read-out,
provenance, scores, licence. The SHA-256 of card and tensors is stored with it, so that a damaged or
altered file is detected; this hash also identifies the checkpoint in settings and result folders.

Nothing is trusted on reading: the card is validated, the names and shapes of the tensors must be
exactly those its layer table implies, the values must be finite, the hash must match. Nothing is
unpickled. Some checkpoints are included in the package, under the names of :data:`NAMED`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hear_brainsoundnet.card import FORMAT_VERSION, Card
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.foreign import kinds_by_content
from hear_brainsoundnet.modes import ordinary_tensors
from hear_brainsoundnet.soundnet import SoundNet

ModuleT = TypeVar("ModuleT", SoundNet, BrainEncoder)

METADATA_KEY = "hear_brainsoundnet"  # one key, so that equal checkpoints are equal bytes

CHECKPOINT_FOLDER = Path(__file__).parent / "checkpoints"
DEFAULT = "distilled"


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


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: card, tensors (float32, by their names in the file) and hash."""

    card: Card
    tensors: Mapping[str, Tensor]
    hash: str

    def build_soundnet(self, *, heads: bool = True) -> SoundNet:
        """A new SoundNet with these weights, in evaluation mode; optionally without heads."""
        return _filled(_empty_soundnet(self.card, heads=heads), self.tensors)

    def build_encoder(self) -> BrainEncoder:
        """A new BrainEncoder with these weights, in evaluation mode.

        Raises
        ------
        ValueError
            If the checkpoint has no read-out.
        """
        if self.card.read_out is None:
            raise ValueError(f"checkpoint {self.card.name!r} has no read-out to fMRI")
        return _filled(_empty_encoder(self.card, self.card.read_out), self.tensors)


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


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read and verify a checkpoint file.

    Raises
    ------
    ValueError
        If the file is of another program, damaged, of a newer format, or its tensors do not match
        its card.
    """
    path = Path(path)
    _refuse_foreign(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            document = _parse_metadata(metadata, path)
            card = _parse_card(document, path)
            _check_shapes(card, shapes, path)
            tensors = {name: file.get_tensor(name) for name in sorted(shapes)}
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{path} is damaged: not a readable safetensors file ({error}); fetch or write it again"
        ) from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(f"{path}: tensor {name} has type {tensor.dtype}, expected floats")
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{path}: tensor {name} contains NaN or infinity")
    digest = _content_hash(document["card"], tensors)
    if document.get("content_sha256") != digest:
        raise ValueError(
            f"{path} is damaged: its content does not match its SHA-256; fetch or write it again"
        )
    return Checkpoint(card, {name: tensor.float() for name, tensor in tensors.items()}, digest)


def write_checkpoint(
    path: str | os.PathLike[str],
    card: Card,
    module: SoundNet | BrainEncoder,
    *,
    dtype: torch.dtype = torch.float32,
    dtype_from: int = 0,
) -> str:
    """Write a checkpoint file atomically.

    Parameters
    ----------
    path : path-like
        File to write, with the suffix ``.safetensors``.
    card : Card
        Metadata; its layer table must be that of `module`.
    module : SoundNet or BrainEncoder
        The weights.
    dtype : torch.dtype
        Type of the convolution weights on disk; everything else is float32.
    dtype_from : int
        Convolutions with fewer weights stay float32. The first kernels are small, and their
        rounding errors affect every later stage.

    Returns
    -------
    str
        The checkpoint's hash.

    Raises
    ------
    ValueError
        If `module` does not fit the card, or `path` has another suffix.
    OSError
        If the file cannot be written; an older file of that name stays as it was.
    """
    path = Path(path)
    check_target(path)
    tensors = {}
    for name, tensor in _weights(module).items():
        is_converted = tensor.ndim == 3 and tensor.numel() >= dtype_from
        value = tensor.detach().to(device="cpu", dtype=dtype if is_converted else torch.float32)
        tensors[name] = value.contiguous()
    _check_shapes(card, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, path)
    document: dict[str, Any] = {"card": card.document()}
    digest = document["content_sha256"] = _content_hash(document["card"], tensors)
    metadata = {METADATA_KEY: json.dumps(document, sort_keys=True)}
    write_atomically(path, save(tensors, metadata=metadata))
    return digest


def check_module(card: Card, module: SoundNet | BrainEncoder) -> None:
    """Check that a network matches a card; raises ValueError otherwise."""
    shapes = {name: tuple(tensor.shape) for name, tensor in _weights(module).items()}
    _check_shapes(card, shapes, f"checkpoint {card.name!r}")


def check_target(path: str | os.PathLike[str]) -> None:
    """Check that a checkpoint can be written there, before hours of computation.

    Raises
    ------
    ValueError
        If `path` has another suffix or is a folder.
    OSError
        If its folder cannot be made or written to.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a checkpoint's name ends in .safetensors, got {path.name!r}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the name of a file that ends in .safetensors")
    trial = path.with_name(f".{path.name}.trial")
    write_atomically(trial, b"")
    trial.unlink()


def _load_named(name: str) -> Checkpoint:
    named = NAMED[name]
    checkpoint = read_checkpoint(CHECKPOINT_FOLDER / named.file)
    if checkpoint.hash != named.hash:
        raise ValueError(
            f"the file of checkpoint {name!r} has hash {checkpoint.hash[:12]}, expected "
            f"{named.hash[:12]}: it was replaced; reinstall the package"
        )
    return checkpoint


def _refuse_foreign(path: Path) -> None:
    """Point to the converter for weight files of other programs."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of a .safetensors checkpoint")
    with path.open("rb") as file:
        kinds = kinds_by_content(file.read(32))
    if kinds:
        raise ValueError(
            f"{path} is not a checkpoint of this package but a weight file of another program; "
            f"convert it first: hear-brainsoundnet convert {path} OUT.safetensors --from "
            + " or --from ".join(kinds)
        )


def _parse_metadata(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    if METADATA_KEY not in metadata:
        raise ValueError(
            f"{path} has no hear_brainsoundnet card: it was not written by this package; see "
            "hear-brainsoundnet convert --help for the weight files that can be converted"
        )
    try:
        document: dict[str, Any] = json.loads(metadata[METADATA_KEY])
        version = document["card"]["format_version"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: its card is not readable JSON") from error
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has checkpoint format {str(version)[:20]}, this version of hear_brainsoundnet "
            f"reads up to {FORMAT_VERSION}: pip install --upgrade hear-brainsoundnet"
        )
    return document


def _parse_card(document: dict[str, Any], path: Path) -> Card:
    try:
        return Card.model_validate(document["card"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(
            f"{path}: the card's {place[:100]} is wrong: {first['msg'][:300]}"
        ) from error


def _check_shapes(card: Card, shapes: Mapping[str, tuple[int, ...]], path: Path | str) -> None:
    """Compare shapes with those the card implies, without allocating anything."""
    module = _empty_encoder(card, card.read_out) if card.read_out else _empty_soundnet(card)
    expected = {name: tuple(tensor.shape) for name, tensor in _weights(module).items()}
    for what, names in (
        ("lacks tensor", expected.keys() - shapes.keys()),
        ("has an unexpected tensor", shapes.keys() - expected.keys()),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ValueError(f"{path} {what} {min(names)}{more}; its card and content disagree")
    for name, shape in sorted(expected.items()):
        if shape != shapes[name]:
            raise ValueError(
                f"{path}: tensor {name} has shape {shapes[name]}, its layer table implies {shape}"
            )


def _empty_soundnet(card: Card, *, heads: bool = True) -> SoundNet:
    """The network implied by a card, on the meta device: no weights are initialised."""
    with torch.device("meta"):
        return SoundNet(card.layers, card.heads if heads else ())


def _empty_encoder(card: Card, read_out: ReadOut) -> BrainEncoder:
    """The encoder implied by a card, on the meta device."""
    soundnet = _empty_soundnet(card)
    with torch.device("meta"):
        return BrainEncoder(soundnet, read_out, card.sample_rate)


def _weights(module: SoundNet | BrainEncoder) -> dict[str, Tensor]:
    """The tensors stored in a file, by name: all but BatchNorm's step counters."""
    prefix = "soundnet." if isinstance(module, SoundNet) else ""
    return {
        prefix + name: tensor
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _filled(module: ModuleT, tensors: Mapping[str, Tensor]) -> ModuleT:
    """A module from the meta device, filled with its tensors, in evaluation mode."""
    state = module.state_dict()
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    prefix = "soundnet." if isinstance(module, SoundNet) else ""
    # Not Module.to_empty: on meta tensors it imports sympy, which takes half a second.
    with ordinary_tensors():
        own = {name: tensors[prefix + name].clone() for name in state if name not in counters}
        zeros = {name: torch.zeros(state[name].shape, dtype=state[name].dtype) for name in counters}
    module.load_state_dict({**own, **zeros}, assign=True)
    return module.eval()


def _content_hash(card: dict[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
