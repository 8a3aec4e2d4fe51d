"""Bars on standard error: shown on a terminal, never written to a file or a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar(items: Iterable[Any] | None = None, *, shown: bool = True, **options: Any) -> tqdm[Any]:
    """A tqdm bar over `items`.

    Parameters
    ----------
    items : iterable, optional
        What is gone through; without it give `total` and call ``update``.
    shown : bool
        Whether to show it where standard error is a terminal; elsewhere it never is, because each
        of its steps would be a line of a log.
    options
        Of tqdm: desc, total, unit, leave, ...
    """
    hidden = None if shown else True  # None: tqdm looks whether it is a terminal
    return tqdm(items, disable=hidden, file=sys.stderr, **options)
