"""Names and memory layouts of SoundNet's tensors in other programs.

Each function maps the content of a file to tensors under the names of our
:class:`~hear_brainsoundnet.soundnet.SoundNet`, convolution weights with shape
``(channels, in_channels, kernel)``; :func:`build_soundnet` checks and assembles them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hear_brainsoundnet.conversion.torch7 import LuaObject
from hear_brainsoundnet.sound_files import shown
from hear_brainsoundnet.soundnet import HEADS, LAYERS, Head, SoundNet

Array = Tensor | np.ndarray

NORM_FIELDS = ("weight", "bias", "running_mean", "running_var")

# The original calls its classifiers of objects and scenes conv8 and conv8_2.
HEAD_NAMES = {"objects": ("conv8", "conv8_objs"), "scenes": ("conv8_2", "conv8_scns")}

NPY_CONV = {"weight": "weights", "bias": "biases"}
NPY_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}


@dataclass(frozen=True)
class Foreign:
    """Tensors of a foreign file by their names in our SoundNet, their names in the file, and the
    names in the file that the network does not use.
    """

    tensors: dict[str, Array]
    names: dict[str, str]
    unused: tuple[str, ...] = ()


def from_npy(layers: Mapping[str, Mapping[str, np.ndarray]]) -> Foreign:
    """From ``sound8.npy``: TensorFlow's layout, weights ``(kernel, 1, in_channels, channels)``.

    Raises
    ------
    ValueError
        If an array is missing.
    """
    arrays = {
        f"{layer}.{field}": a for layer, fields in layers.items() for field, a in fields.items()
    }
    names: dict[str, str] = {}
    for layer in LAYERS:
        names |= {f"{layer.name}.conv.{ours}": f"{layer.name}.{f}" for ours, f in NPY_CONV.items()}
        names |= {f"{layer.name}.norm.{ours}": f"{layer.name}.{f}" for ours, f in NPY_NORM.items()}
    for head, stem in _heads_in(arrays, "weights"):
        names |= {f"heads.{head.name}.{ours}": f"{stem}.{f}" for ours, f in NPY_CONV.items()}
    return _pick(arrays, names, lambda a: a.transpose(3, 2, 0, 1) if a.ndim == 4 else a)


def from_state_dict(state: Mapping[str, Tensor]) -> Foreign:
    """From a PyTorch state dict, of either family of ports.

    One family has ``conv1.0.weight`` and ``conv1.1.running_mean`` (a Sequential for each layer),
    the other ``conv1.weight`` and ``batchnorm1.running_mean``.

    Raises
    ------
    ValueError
        If a tensor is missing.
    """
    has_sequentials = any(name.startswith(f"{LAYERS[0].name}.0.") for name in state)
    names: dict[str, str] = {}
    for number, layer in enumerate(LAYERS, start=1):
        conv = f"{layer.name}.0" if has_sequentials else layer.name
        norm = f"{layer.name}.1" if has_sequentials else f"batchnorm{number}"
        names |= {f"{layer.name}.conv.{field}": f"{conv}.{field}" for field in ("weight", "bias")}
        names |= {f"{layer.name}.norm.{field}": f"{norm}.{field}" for field in NORM_FIELDS}
    for head, stem in _heads_in(state, "weight"):
        names |= {f"heads.{head.name}.{field}": f"{stem}.{field}" for field in ("weight", "bias")}
    counted = {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    return _pick(counted, names, lambda weight: weight)


def from_torch7(network: object) -> Foreign:
    """From the original Lua network: an ``nn.Sequential`` that ends in an ``nn.ConcatTable``.

    Raises
    ------
    ValueError
        If it is another network.
    """
    modules = _modules(network, "Sequential")
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}

    def take(ours: str, place: str, module: Any, class_name: str, fields: Iterable[str]) -> None:
        if not isinstance(module, LuaObject) or class_name not in module.class_name:
            found = module.class_name if isinstance(module, LuaObject) else "nothing"
            raise ValueError(f"{place} is {ascii(found)[:60]}, expected a {class_name}")
        for field in fields:
            names[f"{ours}.{field}"] = f"{place}.{field}"
            if isinstance(module.fields.get(field), np.ndarray):
                arrays[f"{place}.{field}"] = module.fields[field]

    place = 0
    for layer in LAYERS:
        conv, norm = modules.get(place + 1), modules.get(place + 2)
        take(f"{layer.name}.conv", f"modules[{place}]", conv, "Convolution", ("weight", "bias"))
        take(f"{layer.name}.norm", f"modules[{place + 1}]", norm, "BatchNormalization", NORM_FIELDS)
        place += 4 if layer.pool else 3  # convolution, normalization, ReLU and perhaps pooling
    if place + 1 in modules:
        branches = _modules(modules[place + 1], "ConcatTable")
        for number, head in enumerate(HEADS):
            stem = f"modules[{place}].modules[{number}]"
            branch = branches.get(number + 1)
            take(f"heads.{head.name}", stem, branch, "Convolution", ("weight", "bias"))

    foreign = _pick(arrays, names, lambda weight: weight)
    for ours, shape in _weight_shapes():
        weight = foreign.tensors.get(ours)
        # Some convolutions store their weights as a matrix (channels, in_channels * kernel).
        if weight is not None and tuple(weight.shape) == (shape[0], shape[1] * shape[2]):
            foreign.tensors[ours] = weight.reshape(shape)
    return foreign


def escaped(names: Iterable[str]) -> str:
    """A few names from a file for a message, safe to print."""
    return shown([ascii(name)[1:-1][:60] for name in names], 3)


def _weight_shapes() -> Iterator[tuple[str, tuple[int, int, int]]]:
    in_channels = 1
    for layer in LAYERS:
        yield f"{layer.name}.conv.weight", (layer.channels, in_channels, layer.kernel)
        in_channels = layer.channels
    for head in HEADS:
        yield f"heads.{head.name}.weight", (head.channels, in_channels, head.kernel)


def _is_weight(ours: str) -> bool:
    return ours.endswith(".weight") and ".norm." not in ours


def _heads_in(arrays: Mapping[str, Any], field: str) -> Iterator[tuple[Head, str]]:
    for head in HEADS:
        for name in HEAD_NAMES[head.name]:
            for stem in (name, f"{name}.0"):
                if f"{stem}.{field}" in arrays:
                    yield head, stem


def _modules(container: object, class_name: str) -> dict[Any, Any]:
    """The modules of a Lua container, by their numbers from 1."""
    if isinstance(container, LuaObject) and container.class_name == f"nn.{class_name}":
        modules = container.fields.get("modules")
        if isinstance(modules, dict):
            return modules
    found = container.class_name if isinstance(container, LuaObject) else type(container).__name__
    raise ValueError(
        f"expected an nn.{class_name} with modules, got {ascii(found)[:60]}; give the file "
        "soundnet8_final.t7 of the original authors"
    )


def _pick(arrays: Mapping[str, Any], names: Mapping[str, str], layout: Any) -> Foreign:
    missing = [name for name in names.values() if name not in arrays]
    if missing:
        raise ValueError(
            f"it lacks {escaped(missing)}; it holds {escaped(arrays) or 'no tensors'}; give a file "
            f"with all layers, {LAYERS[0].name} to {LAYERS[-1].name}, and their batch normalization"
        )
    tensors = {}
    for ours, theirs in names.items():
        value = layout(arrays[theirs]) if _is_weight(ours) else arrays[theirs]
        # The ports use two-dimensional convolutions of width 1.
        is_flat = _is_weight(ours) and value.ndim == 4 and value.shape[3] == 1
        tensors[ours] = value[..., 0] if is_flat else value
    unused = sorted(arrays.keys() - set(names.values()))
    return Foreign(tensors, dict(names), tuple(unused))


def build_soundnet(foreign: Foreign, allow_initial_batchnorm: bool, with_heads: bool) -> SoundNet:
    """SoundNet with foreign tensors, including any of the original's heads.

    Raises
    ------
    ValueError
        If a tensor has a wrong shape or type or holds NaN, infinity or a negative variance, or if
        all batch normalization has its initial values and this is not allowed.
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
