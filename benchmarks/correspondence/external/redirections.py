"""Importing speechbrain without what it leaves behind.

It puts modules under old names into ``sys.modules`` that import the new ones when they are first
touched, and raise if these need a library that is not there. Whatever walks over all modules
(inspectors, test tools) stumbles over them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_redirections() -> Iterator[None]:
    """Takes redirections out of ``sys.modules`` that were put there inside of the block.

    Examples
    --------
    >>> with without_redirections():
    ...     import json
    """
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if type(module).__name__ == "DeprecatedModuleRedirect":
                del sys.modules[name]
