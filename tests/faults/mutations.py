"""Damaged copies of a file: one or a few random changes of the kinds that disks, networks and
hands make. The same seed gives the same copies.

    for damaged in mutations(path.read_bytes(), n=100, seed=0):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

LONGEST_HEADER = 512  # bytes; most damage that matters is done to the beginning
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Change = Callable[[bytearray, np.random.Generator], bytearray]


def mutations(content: bytes, n: int, seed: int) -> Iterator[bytes]:
    """`n` damaged copies of `content`, which must not be empty."""
    generator = np.random.default_rng(seed)
    for _ in range(n):
        damaged = bytearray(content)
        for _ in range(int(generator.choice([1, 1, 1, 2, 4]))):
            change = CHANGES[int(generator.integers(len(CHANGES)))]
            damaged = change(damaged, generator) or bytearray(b"\0")
        yield bytes(damaged)


def _place(content: bytearray, generator: np.random.Generator) -> int:
    """Half of the places lie in the header."""
    end = len(content) if generator.random() < 0.5 else min(len(content), LONGEST_HEADER)
    return int(generator.integers(end))


def _length(content: bytearray, generator: np.random.Generator) -> int:
    return int(min(len(content), 2 ** generator.uniform(0, 14)))


def flip_bits(content: bytearray, generator: np.random.Generator) -> bytearray:
    for _ in range(int(generator.integers(1, 9))):
        content[_place(content, generator)] ^= 1 << int(generator.integers(8))
    return content


def overwrite_bytes(content: bytearray, generator: np.random.Generator) -> bytearray:
    start, n = _place(content, generator), _length(content, generator)
    n = min(n, len(content) - start)
    content[start : start + n] = generator.bytes(n)
    return content


def write_a_number(content: bytearray, generator: np.random.Generator) -> bytearray:
    """1, 2, 4 or 8 bytes become a number at the edge of a type's range, in either byte order."""
    width = int(generator.choice([1, 2, 4, 8]))
    start = _place(content, generator)
    number = int(generator.choice(np.array(NUMBERS, dtype=np.uint64))) % 256**width
    order = "little" if generator.random() < 0.5 else "big"
    content[start : start + width] = number.to_bytes(width, order)[: len(content) - start]
    return content


def cut(content: bytearray, generator: np.random.Generator) -> bytearray:
    return content[: _place(content, generator)]


def remove(content: bytearray, generator: np.random.Generator) -> bytearray:
    start = _place(content, generator)
    del content[start : start + _length(content, generator)]
    return content


def insert(content: bytearray, generator: np.random.Generator) -> bytearray:
    start = _place(content, generator)
    content[start:start] = generator.bytes(_length(content, generator))
    return content


def repeat(content: bytearray, generator: np.random.Generator) -> bytearray:
    start = _place(content, generator)
    part = content[start : start + _length(content, generator)]
    content[start:start] = part
    return content


def zero(content: bytearray, generator: np.random.Generator) -> bytearray:
    """A block that never reached the disk."""
    start = _place(content, generator)
    n = min(_length(content, generator), len(content) - start)
    content[start : start + n] = bytes(n)
    return content


def swap(content: bytearray, generator: np.random.Generator) -> bytearray:
    """Two parts of the same length change places."""
    n = min(_length(content, generator), len(content) // 2)
    first, second = sorted(int(generator.integers(len(content) - n + 1)) for _ in range(2))
    if second >= first + n:
        content[first : first + n], content[second : second + n] = (
            content[second : second + n],
            content[first : first + n],
        )
    return content


CHANGES: tuple[Change, ...] = (
    flip_bits,
    overwrite_bytes,
    write_a_number,
    cut,
    remove,
    insert,
    repeat,
    zero,
    swap,
)
