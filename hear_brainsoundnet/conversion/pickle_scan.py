"""Look through a pickle without loading it: which names it refers to, and whether it is a trap.

A pickle is a small program. Its instructions can be listed without running any of them, which
tells beforehand which functions and classes it will ask for.
"""

from __future__ import annotations

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import IO

# Python hashes nested tuples by recursion in C without a guard, so that a pickle of a million
# tuples, each inside the next, used as a key, would end the whole process. Files of weights hold
# a handful per tensor.
LARGEST_NUMBER_OF_TUPLES = 20_000

_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
_STORES = {"PUT", "BINPUT", "LONG_BINPUT"}
_NAMES = {"GLOBAL", "INST"}
_REGISTERED = {"EXT1", "EXT2", "EXT4"}


def scan_pickle(stream: IO[bytes]) -> set[str]:
    """Names of all globals of the pickle that begins here; the stream is left behind its end.

    Names are those of Python 3 (``__builtin__.set`` is given as ``builtins.set``). The names that
    protocol 4 takes from the stack (STACK_GLOBAL) are not seen; who loads such a pickle must check
    them when they come up.

    Parameters
    ----------
    stream : binary file
        Positioned at the beginning of a pickle.

    Raises
    ------
    ValueError
        If this is no pickle or one that no program writes for arrays: hardly any content but a
        huge memo, thousands of nested tuples, classes by registered number.

    Examples
    --------
    >>> import io, pickle
    >>> from collections import OrderedDict
    >>> scan_pickle(io.BytesIO(pickle.dumps(OrderedDict(), protocol=2)))
    {'collections.OrderedDict'}
    """
    names: set[str] = set()
    n_tuples = 0
    try:
        for n_before, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if opcode.name in _NAMES:
                names.add(_modern(*str(argument).split(" ", 1)))
            elif opcode.name in _TUPLES:
                n_tuples += 1
            elif opcode.name in _REGISTERED:
                raise ValueError("it refers to a class by a registered number")
            # A memo index beyond the number of instructions only serves to make the memo huge.
            elif opcode.name in _STORES and not 0 <= int(argument or 0) <= n_before:
                raise ValueError(f"it stores an object as number {argument} of its memo")
            if n_tuples > LARGEST_NUMBER_OF_TUPLES:
                raise ValueError(f"it holds more than {LARGEST_NUMBER_OF_TUPLES} tuples")
    except Exception as error:  # whatever garbage makes pickletools raise
        raise ValueError(f"no sound pickle ({type(error).__name__}: {str(error)[:200]})") from error
    return names


def _modern(module: str, name: str) -> str:
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    else:
        module = IMPORT_MAPPING.get(module, module)
    return f"{module}.{name}"
