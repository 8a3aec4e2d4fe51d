"""Arguments and choices that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM = "python -m training"

Changes = Annotated[list[str] | None, typer.Argument(help="key=value, changes to the recipe.")]


class Side(StrEnum):
    """Runs that are scored."""

    test = "test"
    validation = "validation"


class Score(StrEnum):
    """How well a target is predicted."""

    r = "r"
    r2 = "r2"
