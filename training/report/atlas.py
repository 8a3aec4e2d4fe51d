"""Location of targets in voxels and on the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from training.maps.surface_pictures import draw_surfaces
from training.maps.surfaces import Integers, surface_labels
from training.maps.target_maps import map_picture
from training.report import elements


@dataclass(frozen=True)
class Atlas:
    """An image of targets and their location on the surface."""

    image: Path

    @cached_property
    def labels(self) -> dict[str, Integers]:
        """Target id of each vertex, by hemisphere."""
        return surface_labels(self.image)

    @cached_property
    def on_surface(self) -> frozenset[int]:
        """Ids of the targets at some vertex."""
        return frozenset(
            int(i) for labels in self.labels.values() for i in set(labels.tolist()) if i
        )

    def reaches(self, values: Mapping[int, float]) -> bool:
        """Whether one of these targets is at some vertex."""
        return not self.on_surface.isdisjoint(values)

    def figure(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Surfaces, or slices if no target reaches the surface.

        Parameters
        ----------
        values, label, limit
            As for :func:`training.maps.surface_pictures.draw_surfaces`.
        description, caption : str
            Alternative text, and visible caption.
        """
        if not self.reaches(values):
            return self.slices(values, label, limit, description, caption)
        drawn = draw_surfaces(self.labels, values, label, limit)
        return elements.figure(drawn, description, caption, "wide-picture")

    def slices(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Glass brain and horizontal slices."""
        drawn = map_picture(self.image, values, label=label, limit=limit)
        return elements.figure(drawn, description, caption, "wide-picture")
