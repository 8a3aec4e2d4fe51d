"""Specification of a target among the objectives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """A target: its size, its weight, and the stages it is predicted from."""

    name: str
    size: int
    weight: float
    stages: tuple[str, ...]
