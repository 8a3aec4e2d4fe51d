"""Validation of foreign tensors, and their assembly into a SoundNet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hear_brainsoundnet.conversion.layouts import Array, Foreign
from hear_brainsoundnet.soundnet import HEADS, LAYERS, SoundNet


def build_soundnet(
    foreign: Foreign, *, allow_initial_batchnorm: bool = False, with_heads: bool = True
) -> SoundNet:
    """SoundNet with foreign tensors, including any of the original's heads.

    Parameters
    ----------
    foreign : Foreign
        The tensors.
    allow_initial_batchnorm : bool
        Accept a file in which all batch normalization is untrained.
    with_heads : bool
        Whether heads of the file become heads of the network.

    Raises
    ------
    ValueError
        If a tensor has a wrong shape or type or holds NaN, infinity or a negative variance, or if
        all batch normalization has its initial values.
    """
    heads = [head for head in HEADS if f"heads.{head.name}.weight" in foreign.tensors]
    heads = heads if with_heads else []
    with torch.device("meta"):  # shapes only, no initialisation
        soundnet = SoundNet(LAYERS, heads)
    own = soundnet.state_dict()
    tensors = {
        name: checked(value, foreign.names[name], tuple(own[name].shape))
        for name, value in foreign.tensors.items()
        if with_heads or not name.startswith("heads.")
    }
    for name, tensor in tensors.items():
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise ValueError(f"{foreign.names[name]} holds a negative variance; fetch it again")
    if not allow_initial_batchnorm and _is_initial(tensors):
        raise ValueError(
            "its batch normalization has the values of a new network in every layer (mean 0, "
            "variance 1): one public port copied the convolutions only, and its embeddings are "
            "not SoundNet's; use another source of the weights, or pass "
            "allow_initial_batchnorm=True where this is meant"
        )
    counters = {
        name: torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in own.items()
        if name.endswith("num_batches_tracked")
    }
    soundnet.to_empty(device="cpu").load_state_dict(counters | tensors)
    return soundnet.eval()


def checked(value: object, name: str, shape: tuple[int, ...]) -> Tensor:
    """A float32 copy of a foreign tensor, checked for shape and finite values.

    Parameters
    ----------
    value : object
        Value from the file.
    name : str
        Its name in the file, for messages.
    shape : tuple of int
        The expected shape. It is compared before anything is copied: a file can declare
        a tensor far larger than itself.
    """
    array = _float_array(value, name)
    if tuple(array.shape) != shape:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}, expected {shape}; give weights "
            "of the network with 8 layers (SoundNet8)"
        )
    if isinstance(array, np.ndarray):
        tensor = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
    else:
        tensor = array.detach().to(torch.float32, copy=True).contiguous()
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} contains NaN or infinity; fetch it again or retrain it")
    return tensor


def _float_array(value: object, name: str) -> Array:
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            return value
    elif isinstance(value, Tensor):
        is_plain = value.layout == torch.strided and value.device.type == "cpu"
        if is_plain and value.is_floating_point():
            return value
    what = getattr(value, "dtype", type(value).__name__)
    raise ValueError(f"{name} is of type {what}, expected a plain array of floats")


def _is_initial(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the batch normalization of every layer has its initial values."""
    initial = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
    return all(
        bool((tensors[f"{layer.name}.norm.{field}"] == value).all())
        for layer in LAYERS
        for field, value in initial.items()
    )
