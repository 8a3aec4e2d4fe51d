"""Provenance of a result: the command, the revision of the code and package versions."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path


def typed_command() -> str:
    """The command of this process, as it was typed.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch("sys.argv", ["/checkout/training/__main__.py", "report", "an eval"]):
    ...     typed_command()
    "python -m training report 'an eval'"
    """
    program = Path(sys.argv[0])
    start = ["-m", program.parent.name] if program.name == "__main__.py" else [str(program)]
    return shlex.join(["python", *start, *sys.argv[1:]])


def git_revision() -> str:
    """Revision of the checkout, with "+changes" if files differ from it; empty without git."""
    try:
        here = Path(__file__).parent
        revision = _git("rev-parse", "HEAD", folder=here)
        return revision + ("+changes" if _git("status", "--porcelain", folder=here) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str, folder: Path) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of the packages that affect a result."""
    from importlib.metadata import version

    return {
        name: version(name)
        for name in ("hear-brainsoundnet", "torch", "numpy", "accelerate", "himalaya")
    }
