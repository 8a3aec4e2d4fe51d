"""Weights of third-party networks, read without executing code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hear_brainsoundnet.sound_files import shown


def load_weights(
    module: nn.Module, path: Path, *, part: str = "", ignored: tuple[str, ...] = ()
) -> None:
    """Copy the weights of a file into a module.

    Names in the file may have a common prefix, as ``module.model.conv1.weight``.

    Parameters
    ----------
    module : nn.Module
        Modified in place.
    path : Path
        ``.safetensors``, or a file of ``torch.save``.
    part : str
        Key of the state in a file that holds several, in addition to the usual ``state_dict`` and
        ``model``.
    ignored : tuple of str
        Prefixes of names in the file that the module does not need, such as its task's output.

    Raises
    ------
    ValueError
        If the file is not a state of tensors, or does not match the module.
    """
    state = read_state(path, part=part)
    own = module.state_dict()
    prefix = _prefix(own, state)
    beneath = {name[len(prefix) :]: state[name] for name in state if name.startswith(prefix)}
    given = {
        name: tensor for name, tensor in beneath.items() if not name.startswith(ignored or ("\0",))
    }
    # BatchNorm's number of batches is not used with fixed statistics.
    missing = {name for name in own.keys() - given.keys() if "num_batches_tracked" not in name}
    foreign = {name for name in given.keys() - own.keys() if "num_batches_tracked" not in name}
    other_shape = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & given.keys()
        if given[name].shape != own[name].shape
    ]
    if missing or foreign or other_shape:
        absent, extra, misshapen = (
            shown(sorted(each), 3) or "none" for each in (missing, foreign, other_shape)
        )
        raise ValueError(
            f"{path} does not hold the weights of this network: missing {absent}; "
            f"not expected {extra}; of another shape {misshapen}"
        )
    module.load_state_dict(given, strict=False)


def read_state(path: Path, *, part: str = "") -> dict[str, Tensor]:
    """Tensors of a weights file by name; see `load_weights`."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{path} cannot be read as plain tensors: it is not a torch.save file, or holds Python "
            "objects beside the weights, which are not unpickled here; if you trust the file, "
            "open it with its own software and save the state dict as .safetensors"
        ) from error
    for key in (part, "state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected weights by name, got a {type(content).__name__}")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _prefix(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """Prefix of the module's names in the file; the shortest, if there are several.

    Examples
    --------
    >>> weight = torch.zeros(1)
    >>> _prefix({"conv.weight": weight}, {"module.conv.weight": weight, "fc.weight": weight})
    'module.'
    """
    first = next(iter(own), "")
    endings = [name for name in state if name == first or name.endswith(f".{first}")]
    return min((name[: -len(first)] for name in endings), key=len, default="")
