"""Reader of Torch7's binary files (.t7), in which the original SoundNet was published.

The format is little-endian. An object is a 32-bit tag followed by its content::

    0 nil
    1 number     float64
    2 string     int32 length, bytes
    3 table      index, int32 n, then n times key and value, both objects
    4 object     index, version string "V 1", class name, then what its class writes:
                 tensor   int32 n_dims, int64 sizes, int64 strides, int64 offset (from 1), storage
                 storage  int64 n, n numbers
                 others   one object, the table of their fields
    5 boolean    int32
    6, 7, 8      function: index, int32 length, dumped code, then its upvalues, an object

A repeated index refers to the object it first came with, and nothing follows it. Files
from before versions had the class name in the version's place. Functions are skipped; their code
is never inspected.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DEEPEST_NESTING = 100  # the network's weights lie ten levels deep
LARGEST_NDIM = 16
MOST_OBJECTS = 200_000  # the network has 2,000

NUMBER_TYPES = {
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Byte": "u1",
    "Char": "i1",
    "Short": "<i2",
    "Int": "<i4",
    "Long": "<i8",
}
# On the GPU a plain CudaTensor is a float one; others state their type: CudaDoubleTensor.
NUMBER_TYPES |= {f"Cuda{name}": code for name, code in NUMBER_TYPES.items()} | {"Cuda": "<f4"}
TENSOR_CLASSES = {f"torch.{name}Tensor": code for name, code in NUMBER_TYPES.items()}
STORAGE_CLASSES = {f"torch.{name}Storage": code for name, code in NUMBER_TYPES.items()}


@dataclass(eq=False)
class LuaObject:
    """An object of a Lua class: the class name and its table of fields."""

    class_name: str
    fields: dict[Any, Any] = field(default_factory=dict)


def load(data: bytes) -> Any:
    """The object in a Torch7 file; a ValueError if it is truncated or damaged.

    Tables are dict (whole numbers as int keys), tensors ndarray (views of the file's bytes),
    objects :class:`LuaObject`, functions None.
    """
    reader = _Reader(data)
    try:
        return reader.read_object(0)
    except ValueError as error:
        raise ValueError(
            f"damaged Torch7 file: at byte {reader.place} of {len(data)} {error}; fetch it again"
        ) from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0
        self.known: dict[int, Any] = {}
        self.n_objects = 0

    def read_object(self, depth: int) -> Any:
        self.n_objects += 1
        if self.n_objects > MOST_OBJECTS:
            raise ValueError(f"there are more than {MOST_OBJECTS} objects")
        if depth > DEEPEST_NESTING:
            raise ValueError(f"objects are nested more than {DEEPEST_NESTING} deep")
        tag = self.int32()
        if tag == 0:
            return None
        if tag == 1:
            return self.unpack("<d")
        if tag == 2:
            return self.string()
        if tag == 5:
            return self.int32() == 1
        if tag not in (3, 4, 6, 7, 8):
            raise ValueError(f"stands object type {tag}, expected 0 to 8")
        index = self.int32()
        if index not in self.known:
            if tag == 3:
                table: dict[Any, Any] = {}
                self.known[index] = table
                self.read_table_into(table, depth)
            elif tag == 4:
                self.read_torch_object(index, depth)
            else:
                self.known[index] = None
                self.take(self.int32())
                self.read_object(depth + 1)
        return self.known[index]

    def read_table_into(self, table: dict[Any, Any], depth: int) -> None:
        for _ in range(self.count(self.int32(), 8)):  # key and value have a tag each
            key = self.read_object(depth + 1)
            value = self.read_object(depth + 1)
            if isinstance(key, float):
                table[int(key) if key.is_integer() else key] = value
            elif isinstance(key, str):
                table[key] = value

    def read_torch_object(self, index: int, depth: int) -> None:
        class_name = self.string()
        if class_name.startswith("V "):
            class_name = self.string()
        if class_name in STORAGE_CLASSES:
            self.known[index] = self.read_storage(STORAGE_CLASSES[class_name])
        elif class_name in TENSOR_CLASSES:
            self.known[index] = self.read_tensor(TENSOR_CLASSES[class_name], depth)
        else:
            # Registered before its fields are read: they may refer back to it.
            self.known[index] = made = LuaObject(class_name)
            fields = self.read_object(depth + 1)
            made.fields = fields if isinstance(fields, dict) else {}

    def read_storage(self, code: str) -> np.ndarray:
        dtype = np.dtype(code)
        n = self.count(self.int64(), dtype.itemsize)
        start = self.place
        self.place += n * dtype.itemsize
        return np.frombuffer(self.data, dtype, count=n, offset=start)

    def read_tensor(self, code: str, depth: int) -> np.ndarray:
        n_dims = self.int32()
        if not 0 <= n_dims <= LARGEST_NDIM:
            raise ValueError(f"stands a tensor with {n_dims} dimensions")
        sizes = [self.int64() for _ in range(n_dims)]
        strides = [self.int64() for _ in range(n_dims)]
        first = self.int64() - 1
        storage = self.read_object(depth + 1)
        dtype = np.dtype(code)
        if storage is None or not sizes or 0 in sizes:
            return np.empty(0, dtype)
        if not isinstance(storage, np.ndarray) or storage.dtype != dtype or storage.ndim != 1:
            raise ValueError("stands a tensor without a storage of its type")
        if first < 0 or min(sizes) < 0 or min(strides) < 0:
            raise ValueError("stands a tensor with a negative size, stride or offset")
        last = first + sum((size - 1) * step for size, step in zip(sizes, strides, strict=True))
        if last >= storage.size or max(sizes) > len(self.data):
            raise ValueError(f"stands a tensor that reaches to number {last} of {storage.size}")
        steps = [step * dtype.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[first:], sizes, steps, writeable=False)

    def take(self, n_bytes: int) -> bytes:
        self.count(n_bytes, 1)
        self.place += n_bytes
        return self.data[self.place - n_bytes : self.place]

    def count(self, n: int, n_bytes: int) -> int:
        """`n`, if the file is long enough for that many items of at least `n_bytes` each."""
        left = len(self.data) - self.place
        if not 0 <= n * n_bytes <= left:
            raise ValueError(f"{n * n_bytes} bytes should follow, {left} are left")
        return n

    def unpack(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def int32(self) -> int:
        return int(self.unpack("<i"))

    def int64(self) -> int:
        return int(self.unpack("<q"))

    def string(self) -> str:
        return self.take(self.int32()).decode("latin1")
