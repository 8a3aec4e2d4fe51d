"""Contents of the values of a pickle, and bounds on the cost of loading them.

Hashing, comparing and printing a container takes time proportional to its *unfolded* size, with
every reference expanded, because none of the three memoises. All three happen while a pickle is
loaded: keys are hashed, and a failing call prints its arguments. Instances of classes are hashed
and printed by identity here and end such a recursion.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LARGEST_UNFOLDED = 1_000_000  # values; and below, bytes of text per byte of the file
MOST_BYTES_PER_BYTE = 4
ALWAYS_ALLOWED_BYTES = 2**20
DEEPEST = 200  # Python hashes nested tuples by recursion in C, without a guard
MOST_NAMES = 500  # PyTorch compares each called function with all names
MOST_CALLS = 20_000
# Strings have randomised hashes; integers, and tuples of them, do not: multiples of 2^61 - 1, or
# tuples of -1 and -2, can be chosen so that every key collides with all others.
MOST_SLOW_KEYS = 1_000
LARGEST_KEY = 100  # values, unfolded
LARGEST_PLAIN_INTEGER = 2**61 - 2
LONGEST_NAME = 500

SET_CLASSES = frozenset({"builtins.frozenset", "builtins.set", "collections.Counter"})
MAPPING_CLASSES = frozenset({"builtins.dict", "collections.OrderedDict", "collections.defaultdict"})
CONTAINER_CLASSES = (
    SET_CLASSES
    | MAPPING_CLASSES
    | {"builtins.list", "builtins.tuple", "collections.deque", "torch.Size"}
)


class Kind(enum.Enum):
    """Plain value, name of a function or class, container, or instance of a class."""

    LEAF = enum.auto()
    NAME = enum.auto()
    CONTAINER = enum.auto()
    OBJECT = enum.auto()


@dataclass(eq=False, slots=True)
class Value:
    """One value of a pickle.

    Attributes
    ----------
    kind : Kind
        Its kind.
    text : str or None
        Short text, or the name it refers to.
    n_bytes : int
        Length of a text.
    parts : list of Value
        Its elements; keys and values for a dictionary.
    """

    kind: Kind
    text: str | None = None
    n_bytes: int = 0
    parts: list[Value] = field(default_factory=list)


@dataclass(frozen=True)
class Unfolded:
    """Size of a value with every reference expanded."""

    n_values: int = 1
    n_bytes: int = 0
    depth: int = 0


class Ledger:
    """All containers, keys and calls of a pickle, checked at its end."""

    def __init__(self) -> None:
        self.containers: list[Value] = []
        self.slow_keys: list[Value] = []
        self.arguments: list[Value] = []
        self.n_calls = 0
        self.n_large_integers = 0

    def leaf(self, argument: object) -> Value:
        """A plain value; its text is kept if it can be a name."""
        if isinstance(argument, int) and abs(argument) > LARGEST_PLAIN_INTEGER:
            self.n_large_integers += 1
            if self.n_large_integers > MOST_SLOW_KEYS:
                raise ValueError(f"it holds more than {MOST_SLOW_KEYS} integers of over 61 bits")
        if not isinstance(argument, (str, bytes, bytearray)):
            return Value(Kind.LEAF)
        is_name = isinstance(argument, str) and len(argument) <= LONGEST_NAME
        return Value(Kind.LEAF, str(argument) if is_name else None, len(argument))

    def container(self, parts: Iterable[Value] = ()) -> Value:
        made = Value(Kind.CONTAINER, parts=list(parts))
        self.containers.append(made)
        return made

    def note_keys(self, keys: Iterable[Value]) -> None:
        """Keys of a dictionary, or members of a set."""
        self.slow_keys.extend(key for key in keys if key.kind is Kind.CONTAINER)
        if len(self.slow_keys) > MOST_SLOW_KEYS:
            raise ValueError(f"more than {MOST_SLOW_KEYS} of its keys are tuples")

    def note_name(self, n_names: int) -> None:
        if n_names > MOST_NAMES:
            raise ValueError(f"it refers to more than {MOST_NAMES} functions and classes")

    def note_call(self, arguments: Sequence[Value]) -> None:
        self.n_calls += 1
        if self.n_calls > MOST_CALLS:
            raise ValueError(f"it calls functions and classes more than {MOST_CALLS} times")
        self.arguments.extend(arguments)

    def check(self, n_bytes: int) -> None:
        """Reject content out of proportion to a pickle of `n_bytes`.

        Raises
        ------
        ValueError
            If a container, all call arguments together or keys are too large when unfolded, too
            deep, or contain themselves.
        """
        most_bytes = MOST_BYTES_PER_BYTE * n_bytes + ALWAYS_ALLOWED_BYTES
        sizes = self._unfold(most_bytes)

        def size(value: Value) -> Unfolded:
            return sizes.get(id(value)) or Unfolded(1, value.n_bytes)

        for key in self.slow_keys:
            if size(key).n_values > LARGEST_KEY:
                raise ValueError(f"one of its keys is a tuple of more than {LARGEST_KEY} values")
        handed = [size(argument) for argument in self.arguments]
        _refuse_large(sum(s.n_values for s in handed), sum(s.n_bytes for s in handed), most_bytes)

    def _unfold(self, most_bytes: int) -> dict[int, Unfolded]:
        """The size of every container, by id; iterative, whatever the nesting depth."""
        sizes: dict[int, Unfolded] = {}
        begun: set[int] = set()
        for first in self.containers:
            waiting = [first]
            while waiting:
                value = waiting[-1]
                if id(value) in sizes:
                    waiting.pop()
                elif id(value) in begun:  # all its elements are known by now
                    sizes[id(value)] = _size_of(value, sizes, most_bytes)
                    waiting.pop()
                else:
                    begun.add(id(value))
                    inside = [part for part in value.parts if part.kind is Kind.CONTAINER]
                    if any(id(part) in begun and id(part) not in sizes for part in inside):
                        raise ValueError("it holds a list or dictionary within itself")
                    waiting += [part for part in inside if id(part) not in sizes]
        return sizes


def _size_of(value: Value, sizes: dict[int, Unfolded], most_bytes: int) -> Unfolded:
    n_values, n_bytes, depth = 1, 0, 0
    for part in value.parts:
        if part.kind is Kind.CONTAINER:
            inner = sizes[id(part)]
            n_values += inner.n_values
            n_bytes += inner.n_bytes
            depth = max(depth, inner.depth)
        else:
            n_values += 1
            n_bytes += part.n_bytes
    _refuse_large(n_values, n_bytes, most_bytes)
    if depth + 1 > DEEPEST:
        raise ValueError(f"its lists and tuples are nested more than {DEEPEST} deep")
    return Unfolded(n_values, n_bytes, depth + 1)


def _refuse_large(n_values: int, n_bytes: int, most_bytes: int) -> None:
    if n_values > LARGEST_UNFOLDED or n_bytes > most_bytes:
        raise ValueError(
            "its content refers to itself so often that it is far larger than the file: more than "
            f"{LARGEST_UNFOLDED} values or {most_bytes} bytes"
        )
