"""Static scan of a pickle: the globals it refers to, and the cost of loading it.

A pickle is a program for a machine with a stack and a memo. Its instructions are followed here
without executing them, only recording which value contains which. This gives, before loading, the
functions and classes the file refers to, and the size of its content once every reference is
expanded: sixty nested tuples, each holding the previous one twice, take 200 bytes in a file and
2^60 values when hashed, compared or printed. Hashing, comparing and printing take time proportional
to that *unfolded* size, because none of the three memoises, and all three happen while a pickle is
loaded: keys are hashed, and a failing call prints its arguments. Instances of classes are hashed
and printed by identity here and end such a recursion.
"""

from __future__ import annotations

import enum
import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

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

# The original SoundNet takes 600 instructions, a training state with its whole network 20,000.
MOST_INSTRUCTIONS = 300_000
_REGISTERED = {"EXT1", "EXT2", "EXT4"}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_EMPTY = {"EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"}
_SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_LONG_CONTAINERS = {"TUPLE", "LIST", "DICT", "FROZENSET"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}


class Kind(enum.Enum):
    """Plain value, name of a function or class, container, or instance of a class."""

    LEAF = enum.auto()
    NAME = enum.auto()
    CONTAINER = enum.auto()
    OBJECT = enum.auto()


@dataclass(eq=False, slots=True)
class Value:
    """One value of a pickle: its kind, short text or the name it refers to, length of a text, and
    its elements (keys and values for a dictionary).
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
        """A ValueError if content is out of proportion to a pickle of `n_bytes`: a container, all
        call arguments together or keys are too large when unfolded, too deep, or contain
        themselves.
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


def scan_pickle(stream: IO[bytes]) -> set[str]:
    """Names of all globals of the pickle that begins here; the stream is left at its end.

    Names are those of Python 3 (``__builtin__.set`` is given as ``builtins.set``).

    Raises
    ------
    ValueError
        If this is not a pickle, or has features that no program writes for arrays: a huge memo,
        classes by registered number, content far larger than the file once references are expanded,
        self-containing lists, keys chosen to collide.

    Examples
    --------
    >>> import io, pickle
    >>> from collections import OrderedDict
    >>> scan_pickle(io.BytesIO(pickle.dumps(OrderedDict(), protocol=2)))
    {'collections.OrderedDict'}
    """
    start = stream.tell()
    machine = _Machine()
    try:
        for n_before, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if n_before == MOST_INSTRUCTIONS:
                raise ValueError(f"it has more than {MOST_INSTRUCTIONS} instructions")
            machine.step(opcode.name, argument, n_before)
        machine.ledger.check(n_bytes=stream.tell() - start)
    except Exception as error:  # pickletools can raise anything on invalid data
        raise ValueError(f"no sound pickle ({type(error).__name__}: {str(error)[:200]})") from error
    return machine.names


class _Machine:
    """The stack and memo of a pickle, with values that only record what they contain."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.stack: list[Value] = []
        self.marks: list[int] = []
        self.memo: dict[int, Value] = {}
        self.ledger = Ledger()

    def step(self, name: str, argument: Any, n_before: int) -> None:
        """Follow one instruction, number `n_before` of the pickle."""
        if name in _IGNORED:
            return
        if name in _REGISTERED:
            raise ValueError("it refers to a class by a registered number")
        if name in _PUTS:
            # An index beyond the number of instructions can only serve to make the memo huge.
            if not 0 <= int(argument) <= n_before:
                raise ValueError(f"it stores an object as number {argument} of its memo")
            self.memo[int(argument)] = self.stack[-1]
        elif name in _GETS:
            self.stack.append(self.memo[int(argument)])
        elif name in _EMPTY:
            self.stack.append(self.ledger.container())
        elif name in _SHORT_TUPLES:
            self.stack.append(self.ledger.container(self.popped(_SHORT_TUPLES[name])))
        elif name in _LONG_CONTAINERS:
            self.gather(name)
        elif name in _STEPS:
            _STEPS[name](self, argument)
        else:
            self.stack.append(self.ledger.leaf(argument))

    def popped(self, n: int) -> list[Value]:
        """The last `n` values, popped from the stack."""
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) - n < floor:
            raise ValueError("it takes more from its stack than is there")
        taken = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return taken

    def popped_to_mark(self) -> list[Value]:
        place = self.marks.pop()
        taken = self.stack[place:]
        del self.stack[place:]
        return taken

    def mark(self, _: object) -> None:
        self.marks.append(len(self.stack))

    def memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def pop(self, _: object) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.popped(1)

    def pop_mark(self, _: object) -> None:
        self.popped_to_mark()

    def duplicate(self, _: object) -> None:
        self.stack.append(self.stack[-1])

    def gather(self, name: str) -> None:
        parts = self.popped_to_mark()
        if name == "DICT":
            self.ledger.note_keys(parts[::2])
        elif name == "FROZENSET":
            self.ledger.note_keys(parts)
        self.stack.append(self.ledger.container(parts))

    def append(self, _: object) -> None:
        (item,) = self.popped(1)
        self.stack[-1].parts.append(item)

    def append_many(self, _: object) -> None:
        items = self.popped_to_mark()
        self.stack[-1].parts.extend(items)

    def add_many(self, _: object) -> None:
        items = self.popped_to_mark()
        self.ledger.note_keys(items)
        self.stack[-1].parts.extend(items)

    def set_item(self, _: object) -> None:
        pair = self.popped(2)
        self.ledger.note_keys(pair[:1])
        self.stack[-1].parts.extend(pair)

    def set_many(self, _: object) -> None:
        items = self.popped_to_mark()
        self.ledger.note_keys(items[::2])
        self.stack[-1].parts.extend(items)

    def name_of(self, argument: object) -> None:
        module, _, name = str(argument).partition(" ")
        self.push_name(module, name)

    def name_from_stack(self, _: object) -> None:
        module, name = self.popped(2)
        if module.text is None or name.text is None:
            raise ValueError("it refers to a class by something that is no name")
        self.push_name(module.text, name.text)

    def push_name(self, module: str, name: str) -> None:
        full = _modern(module, name)
        self.names.add(full)
        self.ledger.note_name(len(self.names))
        self.stack.append(Value(Kind.NAME, text=full))

    def instance(self, argument: object) -> None:
        self.name_of(argument)
        called = self.stack.pop()
        self.call(called, self.popped_to_mark())

    def instance_from_stack(self, _: object) -> None:
        called, *arguments = self.popped_to_mark()
        self.call(called, arguments)

    def reduce(self, _: object) -> None:
        called, arguments = self.popped(2)
        self.call(called, [arguments])

    def new_with_keywords(self, _: object) -> None:
        called, *arguments = self.popped(3)
        self.call(called, arguments)

    def persistent(self, _: object) -> None:
        self.call(Value(Kind.LEAF), self.popped(1))

    def build(self, _: object) -> None:
        (state,) = self.popped(1)
        self.ledger.note_call([state])
        self.stack[-1].parts.append(state)

    def call(self, called: Value, arguments: list[Value]) -> None:
        """Record the result of a call; the callable itself is never executed."""
        self.ledger.note_call(arguments)
        if called.kind is Kind.NAME and called.text in CONTAINER_CLASSES:
            items = [
                item for argument in arguments for each in argument.parts for item in each.parts
            ]
            if called.text in SET_CLASSES:
                self.ledger.note_keys(items)
            elif called.text in MAPPING_CLASSES:
                self.ledger.note_keys(pair.parts[0] for pair in items if pair.parts)
            self.stack.append(self.ledger.container(arguments))
        else:
            self.stack.append(Value(Kind.OBJECT))


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "MEMOIZE": _Machine.memoize,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_many,
    "ADDITEMS": _Machine.add_many,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_many,
    "GLOBAL": _Machine.name_of,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "INST": _Machine.instance,
    "OBJ": _Machine.instance_from_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "BINPERSID": _Machine.persistent,
    "BUILD": _Machine.build,
}


def _modern(module: str, name: str) -> str:
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    else:
        module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"
