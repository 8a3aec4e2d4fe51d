"""Atomic writing of HDF5 files, with an error for a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hear_brainsoundnet.files import writing

if TYPE_CHECKING:
    import h5py


@contextmanager
def writing_h5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file, renamed to its final name at the end.

    Raises
    ------
    OSError
        If it cannot be written; the old file stays.
    """
    import h5py

    with writing(path) as temporary, temporary.open("w+b", buffering=0) as raw:
        file = _UntilFull(raw)
        try:
            with h5py.File(file, "w") as h5:
                yield h5
        except (OSError, RuntimeError):
            if file.error is not None:
                raise file.error from None
            raise


class _UntilFull:
    """A file that drops all writes after the first failure.

    HDF5 cannot close a file whose last blocks cannot be written: it reports errors again at exit
    and may crash. The first failure is kept and raised.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, block: Any) -> int:
        if self.error is None:
            try:
                written = memoryview(block).cast("B")
                while written:
                    written = written[self._file.write(written) :]
            except OSError as error:
                self.error = error
                raise
        return len(block)

    def truncate(self, size: int | None = None) -> int:
        if self.error is None:
            try:
                return int(self._file.truncate(size))
            except OSError as error:
                self.error = error
                raise
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
