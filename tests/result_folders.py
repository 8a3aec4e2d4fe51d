"""Folders of results, and commands that are interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones included, by their relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def interrupt_at(name: str | None = None, *, after: int = 0) -> Callable[[object], None]:
    """For `on_file`: Ctrl-C at the file of that name, or after so many files."""
    seen: list[object] = []

    def on_file(record: object) -> None:
        if record.name == name or (name is None and len(seen) == after):  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        seen.append(record)

    return on_file
