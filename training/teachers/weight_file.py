"""What the included teachers need: their published weight files and further packages."""

from __future__ import annotations

import hashlib
import importlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PublishedFile:
    """A file as its authors published it.

    Attributes
    ----------
    name : str
        Its name, inside the wheel if it is part of one.
    n_bytes : int
    sha256 : str
    origin : str
        Instruction for obtaining it.
    """

    name: str
    n_bytes: int
    sha256: str
    origin: str

    def read(self, path: str | Path) -> bytes:
        """The content of `path`, verified to be this file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If it is another one.
        """
        path = self._existing(path)
        with path.open("rb") as file:
            return self._checked(file.read(self.n_bytes + 1), path)

    def read_from_wheel(self, path: str | Path) -> bytes:
        """The content of this file within the wheel `path`.

        Raises
        ------
        FileNotFoundError
            If there is no such wheel.
        ValueError
            If it is not a wheel, or this file is not in it or another one.
        """
        path = self._existing(path)
        try:
            with zipfile.ZipFile(path) as wheel, wheel.open(self.name) as file:
                return self._checked(file.read(self.n_bytes + 1), path)
        except KeyError as error:
            raise ValueError(f"{path} holds no {self.name}; {self.origin}") from error
        # Errors of a damaged archive, and of a password-protected one.
        except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise ValueError(f"{path} is not a wheel ({error}); {self.origin}") from error

    def _existing(self, path: str | Path) -> Path:
        if not str(path):
            raise ValueError(f"no file was given for {self.name}; {self.origin}")
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path} ({self.name}); {self.origin}")
        return path

    def _checked(self, content: bytes, path: Path) -> bytes:
        found = hashlib.sha256(content).hexdigest()
        if found == self.sha256:
            return content
        size = f"{len(content)} bytes" if len(content) <= self.n_bytes else "more bytes"
        raise ValueError(
            f"{path}: expected {self.name} of {self.n_bytes} bytes with the SHA-256 {self.sha256}, "
            f"got {size}" + (f" with {found}" if len(content) <= self.n_bytes else "") + "; "
            f"{self.origin}"
        )


def needed(package: str, *, to: str) -> Any:
    """Import a module of the extra.

    Raises
    ------
    ValueError
        If it is not installed.

    Examples
    --------
    >>> needed("no_such_package", to="the lesson")
    Traceback (most recent call last):
    ...
    ValueError: the lesson needs no_such_package, which is not installed: pip install \
"hear-brainsoundnet[teachers]"
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ValueError(
            f"{to} needs {package.partition('.')[0]}, which is not installed: "
            'pip install "hear-brainsoundnet[teachers]"'
        ) from error
