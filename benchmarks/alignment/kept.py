"""Arrays that take long to compute, kept in files that are whole or absent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hear_brainsoundnet.files import writing


def kept(path: Path, compute: Callable[[], ArrayLike]) -> NDArray[Any]:
    """The array in a file, computed and written first if there is none.

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
