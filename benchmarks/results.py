"""Results of an experiment, as one JSON file: the only input of the page.

A document has `title`, `command`, `rows` (the main table, a mapping for each row) and `notes`; it
may have `tables` (further ones, each with `title` and `rows`), `settings` and `details` (all other
numbers). Versions, git revision and the file format's version are added when it is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hear_brainsoundnet.files import write_atomically
from training.provenance import git_revision, versions

FORMAT_VERSION = 1
REQUIRED = {"title": str, "command": str, "rows": list, "notes": list}

Document = dict[str, Any]


def write_result(folder: Path, experiment: str, document: Mapping[str, Any]) -> Path:
    """Write ``folder/EXPERIMENT.json``; numbers are rounded to six digits, non-finite ones become
    null.

    Raises
    ------
    ValueError
        If a key required by the page is missing or of another type.
    """
    path = folder / f"{experiment}.json"
    whole = {
        "format_version": FORMAT_VERSION,
        **document,
        "git_revision": git_revision(),
        "versions": {**versions(), **document.get("versions", {})},
    }
    _check(whole, path)
    text = json.dumps(_strict(whole), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode())
    return path


def read_result(folder: Path, experiment: str) -> Document | None:
    """Read a file of :func:`write_result`; None if it does not exist.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    path = folder / f"{experiment}.json"
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable JSON; run the experiment again") from error
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{path} is of another format than {FORMAT_VERSION}; run it again")
    _check(document, path)
    return document


def _check(document: Mapping[str, Any], path: Path) -> None:
    for key, kind in REQUIRED.items():
        if not isinstance(document.get(key), kind):
            raise ValueError(
                f"{path}: expected {key!r} to be a {kind.__name__}, got {document.get(key)!r:.60}"
            )


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
