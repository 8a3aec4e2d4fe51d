"""Arrays that take long to compute, kept in files that are whole or absent."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hear_brainsoundnet.files import writing

logger = logging.getLogger(__name__)


def kept(path: Path, compute: Callable[[], ArrayLike]) -> NDArray[Any]:
    """The array in an ``.npy`` file, computed and written first if there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "numbers.npy")
    ...     kept(path, lambda: [1, 2]), kept(path, lambda: [3])
    (array([1, 2]), array([1, 2]))
    """
    if not path.exists():
        array = compute()
        with writing(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)
    return np.load(path)


def kept_arrays(
    path: Path, compute: Callable[[], Mapping[str, ArrayLike]], **origin: str
) -> dict[str, NDArray[Any]]:
    """The arrays in an ``.npz`` file, by name.

    Parameters
    ----------
    path : Path
        Computed and written first if it is missing, damaged, or of another origin.
    compute : callable
        Returns the arrays.
    **origin : str
        Name and hash of what they are computed from, kept in the file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        if {name: str(found.pop(name)) for name in origin} == origin:
            return found
    except FileNotFoundError:
        pass
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("%s cannot be read (%s); computing it again", path, error)
    computed = {name: np.asarray(array) for name, array in compute().items()}
    content: dict[str, Any] = {**origin, **computed}
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **content)
    return computed
