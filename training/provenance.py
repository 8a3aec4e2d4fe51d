"""Where a result came from: the revision of the code and the versions of what it used."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_revision() -> str:
    """Revision of the checkout, with "+changes" where files differ from it; empty without git."""
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
    """Versions of the packages that decide a result."""
    from importlib.metadata import version

    return {
        name: version(name)
        for name in ("hear-brainsoundnet", "torch", "numpy", "accelerate", "himalaya")
    }
