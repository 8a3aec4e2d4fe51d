"""Reader of ``sound8.npy``: an array file that holds a dictionary pickled by Python 2.

NumPy reads such a file only with ``allow_pickle=True``, which executes any code in the file.
Here every global that the pickle refers to resolves to a stub of this module; the stubs only put
numbers into arrays.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from hear_brainsoundnet.conversion.pickle_scan import scan_pickle

NUMBER_TYPES = {"f4", "f8", "i4", "i8"}
BYTE_ORDERS = {"<", ">", "=", "|"}
LARGEST_NDIM = 8


def load(data: bytes) -> dict[str, dict[str, np.ndarray]]:
    """The dictionary of layers in an ``.npy`` file that was written with ``np.save(path, layers)``.

    For each layer its arrays by name; other entries are left out. A ValueError if it is anything
    else, damaged, or refers to a function that arrays do not need.
    """
    stream = io.BytesIO(data)
    _check_header(stream)
    start = stream.tell()
    scan_pickle(stream)
    stream.seek(start)
    try:
        outer = _Unpickler(stream, encoding="latin1").load()
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise ValueError(
            f"its pickle cannot be read ({type(error).__name__}: {str(error)[:200]}); expected a "
            "dictionary of float arrays; fetch the file again"
        ) from error
    layers = outer.value[0] if isinstance(outer, _Array) and type(outer.value) is list else None
    if type(layers) is not dict or not all(type(layer) is dict for layer in layers.values()):
        raise ValueError("expected an array that holds one dictionary of layers, each a dictionary")
    return {
        str(name): {
            str(field): array.value
            for field, array in layer.items()
            if isinstance(array, _Array) and isinstance(array.value, np.ndarray)
        }
        for name, layer in layers.items()
    }


def _check_header(stream: io.BytesIO) -> None:
    """Skip the header of the array file; it must declare a single Python object."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format version {version}")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(stream)
    except Exception as error:  # the header is a Python literal and can fail in many ways
        raise ValueError(
            f"its header is damaged ({type(error).__name__}: {str(error)[:200]}); fetch it again"
        ) from error
    if dtype != np.dtype(object) or math.prod(shape) != 1:
        raise ValueError(
            f"it is an array of {dtype} with shape {shape}, expected one pickled dictionary of "
            "layers (conv1 to conv7)"
        )


class _Stub:
    """Stub for a function or class in a pickle, callable but immutable."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *args: object) -> object:
        return self._call(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it tries to change a function")


class _Dtype:
    """Stub for ``numpy.dtype``: one of a few number types, or "object" for the outer array."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_: object) -> None:
        if code not in NUMBER_TYPES and code not in ("O", "O8", "O4"):
            raise pickle.UnpicklingError("it holds numbers of a type that is neither float nor int")
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: Any) -> None:
        if state[1] not in BYTE_ORDERS:
            raise pickle.UnpicklingError("unknown byte order")
        self.order = state[1]

    @property
    def is_object(self) -> bool:
        return self.code.startswith("O")

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stub for an array under construction; `value` is an ndarray, or a list of objects."""

    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value: object = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran_order, content = state
        if not isinstance(dtype, _Dtype) or type(shape) is not tuple or len(shape) > LARGEST_NDIM:
            raise pickle.UnpicklingError("an array without shape or type")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise pickle.UnpicklingError("an array with a negative size")
        if dtype.is_object:
            if type(content) is not list or len(content) != math.prod(shape):
                raise pickle.UnpicklingError("an array of objects without its objects")
            self.value = content
            return
        # Python 2 had no bytes type: its strings arrive as text with one character per byte.
        buffer = content.encode("latin1") if isinstance(content, str) else content
        numbers = np.frombuffer(buffer, dtype.numpy())
        if numbers.size != math.prod(shape):
            raise pickle.UnpicklingError(f"{numbers.size} numbers for an array of shape {shape}")
        self.value = numbers.reshape(shape, order="F" if fortran_order else "C")


def _scalar(dtype: _Dtype, content: str | bytes = b"") -> float:
    buffer = content.encode("latin1") if isinstance(content, str) else content
    return float(np.frombuffer(buffer, dtype.numpy(), count=1)[0])


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it encodes text other than as latin1")
    return text.encode("latin1")


_STUBS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): stub
        for core in ("core", "_core")
        for name, stub in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Stub:
        if (module, name) not in _STUBS:
            raise pickle.UnpicklingError(
                f"it asks for {ascii(module)[1:-1]}.{ascii(name)[1:-1]}, which arrays do not need; "
                "nothing was run"
            )
        return _Stub(_STUBS[module, name])

    def persistent_load(self, pid: object) -> object:
        raise pickle.UnpicklingError("it refers to objects outside the file")
