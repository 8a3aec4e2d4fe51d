"""Arguments and choices shared by several commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM = "python -m training"

Changes = Annotated[list[str] | None, typer.Argument(help="key=value, changes to the recipe.")]


class Side(StrEnum):
    """Side of the split to score."""

    test = "test"
    validation = "validation"


class Score(StrEnum):
    """Prediction scores."""

    r = "r"
    r2 = "r2"
