"""Provenance of a result: the revision of the code and package versions."""

from __future__ import annotations

import subprocess
from pathlib import Path


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
