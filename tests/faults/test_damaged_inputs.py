"""Damaged files of every kind that a preparation reads end in words, not in a traceback."""

from __future__ import annotations

import gzip
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from damaged_inputs import ISOLATED, KINDS
from mutations import mutations

LIMIT = 30  # seconds for one file of a few hundred bytes
LONGEST_MESSAGE = 2_000


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damaged(folder: Path, name: str, n: int, seed: int) -> Iterator[Path]:
    """Copies of a whole file, one after the other; of compressed images half are damaged inside."""
    path = folder / name
    KINDS[name][0](path)
    whole = path.read_bytes()
    KINDS[name][1](path)  # a whole one is read
    inside = gzip.decompress(whole) if name.endswith(".gz") else None
    for i, content in enumerate(mutations(inside or whole, n, seed)):
        if inside and i % 2:
            content = next(mutations(whole, 1, seed + i))
        elif inside:
            content = gzip.compress(content, 1)
        path.write_bytes(content)
        yield path


def outcomes(folder: Path, name: str, n: int, seed: int = 0) -> Counter[str]:
    """How many were read, and how many refused; every other end is an error of this function."""
    counts: Counter[str] = Counter()
    for path in damaged(folder, name, n, seed):
        try:
            with warnings.catch_warnings(), within(LIMIT):
                warnings.simplefilter("error")  # none may stand before the words
                KINDS[name][1](path)
            counts["read"] += 1
        except TimeoutError:
            path.rename(path.with_name(f"hangs-{name}"))
            raise
        except (ValueError, OSError) as error:
            if not 0 < len(str(error).strip()) < LONGEST_MESSAGE:
                raise AssertionError(f"no words or too many: {error!r:.200}") from error
            counts["refused"] += 1
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in KINDS if name not in ISOLATED])
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    counts = outcomes(tmp_path, name, n=60)
    assert counts.total() == 60
    assert counts["refused"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ISOLATED)
def test_damaged_files_that_c_libraries_read_are_read_or_refused(tmp_path: Path, name: str) -> None:
    counts = outcomes(tmp_path, name, n=12)
    assert counts.total() == 12
    assert counts["refused"]
