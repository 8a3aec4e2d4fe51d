"""The part that a description of crops plays among the objectives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A description: how many numbers it has, what it counts, and the stages it is read from."""

    name: str
    size: int
    weight: float
    stages: tuple[str, ...]
