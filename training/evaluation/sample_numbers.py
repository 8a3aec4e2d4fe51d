"""Numbers of TRs of episodes whose responses are withheld.

Either a csv or tsv table with the columns ``subject``, ``episode`` and ``n_trs``, or the files of
Algonauts 2025, ``sub-01/target_sample_number/sub-01_friends-s7_fmri_samples.npy``: a pickled
mapping from episodes to numbers. It is read from the opcodes of the pickle, without executing it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hear_brainsoundnet.nifti import in_words
from training.sources.entities import parse_entities
from training.sources.tables import read_table

COLUMNS = ("subject", "episode", "n_trs")
MOST_BYTES = 2**20  # the published ones have about one kilobyte
MOST_TRS = 100_000
TEXTS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "UNICODE"})
NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "INT"})
BETWEEN = frozenset({"MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "SETITEM", "SETITEMS"})


def read_sample_numbers(paths: Sequence[Path]) -> dict[str, dict[str, int]]:
    """Number of TRs by subject and episode.

    Parameters
    ----------
    paths : sequence of Path
        Tables, or ``.npy`` files with ``sub-`` in their name.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is of another form, a number is not positive, or an episode occurs twice.
    """
    numbers: dict[str, dict[str, int]] = {}
    for path in paths:
        rows = _read_npy(path) if path.suffix == ".npy" else _read_rows(path)
        for subject, episode, n_trs in rows:
            if not 1 <= n_trs <= MOST_TRS:
                raise ValueError(f"{path}: {episode} of {subject} has {n_trs} TRs")
            if n_trs != numbers.setdefault(subject, {}).setdefault(episode, n_trs):
                raise ValueError(f"{path}: {episode} of {subject} has two numbers of TRs")
    return numbers


def _read_rows(path: Path) -> list[tuple[str, str, int]]:
    columns, rows = read_table(path)
    if missing := [column for column in COLUMNS if column not in columns]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; expected {COLUMNS}")
    found = []
    for line, row in rows.items():
        subject, episode, n_trs = (row[column] for column in COLUMNS)
        if not n_trs.isdecimal():
            raise ValueError(f"{path} line {line}: n_trs is {n_trs!r}, expected a whole number")
        found.append((f"sub-{subject.removeprefix('sub-')}", episode, int(n_trs)))
    return found


def _read_npy(path: Path) -> list[tuple[str, str, int]]:
    subject = parse_entities(path.name).get("sub")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if subject is None or path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"{path} is not a file like sub-01_friends-s7_fmri_samples.npy; give a csv table with "
            f"the columns {', '.join(COLUMNS)}"
        )
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            return [(f"sub-{subject}", *pair) for pair in _pairs(file.read())]
    except Exception as error:  # numpy and pickletools raise many types
        raise ValueError(
            f"{path} does not hold numbers of TRs by episode ({in_words(error)}); give a csv table "
            f"with the columns {', '.join(COLUMNS)}"
        ) from error


def _pairs(pickled: bytes) -> list[tuple[str, int]]:
    """Keys and values of the one dictionary in a pickled array, of texts and whole numbers."""
    pairs: list[tuple[str, int]] = []
    key: str | None = None
    is_inside = False
    for opcode, argument, _ in pickletools.genops(pickled):
        if not is_inside:
            is_inside = opcode.name == "EMPTY_DICT"
        elif opcode.name in TEXTS and key is None:
            key = str(argument)
        elif opcode.name in NUMBERS and key is not None:
            pairs.append((key, int(str(argument))))
            key = None
        elif opcode.name == "APPEND" and key is None and pairs:
            return pairs
        elif opcode.name not in BETWEEN:
            break
    raise ValueError("expected a mapping from texts to whole numbers")
