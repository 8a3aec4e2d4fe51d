"""Progress bars on standard error: shown on a terminal, never written to a file or a log."""

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
        Items to iterate over; without it give `total` and call ``update``.
    shown : bool
        Whether to show it if standard error is a terminal; elsewhere it is never shown, because
        each update would be a line of a log.
    options
        Options of tqdm: desc, total, unit, leave, ...
    """
    hidden = None if shown else True  # None: tqdm checks for a terminal
    return tqdm(items, disable=hidden, file=sys.stderr, **options)
