"""From a source to the prepared dataset (placeholder: the recipe and the entry point)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.config import Settings
from training.prepared import Prepared


class PrepareRecipe(Settings):
    name: str
    out: Path
    source: Any


def prepare(recipe: PrepareRecipe) -> Prepared:
    raise NotImplementedError
