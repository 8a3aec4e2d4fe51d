"""Packages of the extra ``teachers``."""

from __future__ import annotations

import importlib
from typing import Any


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
