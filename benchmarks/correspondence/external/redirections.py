"""Import of speechbrain without its lazy-import modules.

It registers modules under old names in ``sys.modules`` that import the new ones on first access,
and raise if these need a missing library. Code that walks over all modules (inspectors, test tools)
fails on them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_redirections() -> Iterator[None]:
    """Remove lazy-import modules from ``sys.modules`` that were added inside the block.

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
