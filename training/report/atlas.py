"""Where the targets of an image are: in its voxels and on the surface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from training.maps import map_picture
from training.report import elements
from training.surface_pictures import draw_surfaces
from training.surfaces import Integers, surface_labels


@dataclass(frozen=True)
class Atlas:
    """An image of targets and where they are on the surface."""

    image: Path

    @cached_property
    def labels(self) -> dict[str, Integers]:
        """Target id of each vertex, by hemisphere."""
        return surface_labels(self.image)

    @cached_property
    def on_surface(self) -> frozenset[int]:
        """Ids of the targets that some vertex has."""
        return frozenset(
            int(i) for labels in self.labels.values() for i in set(labels.tolist()) if i
        )

    def reaches(self, values: Mapping[int, float]) -> bool:
        """Whether some vertex has one of these targets."""
        return not self.on_surface.isdisjoint(values)

    def figure(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Surfaces, or slices where no target reaches the surface.

        Parameters
        ----------
        values, label, limit
            As :func:`training.surface_pictures.draw_surfaces` takes them.
        description, caption : str
            For those who cannot see it, and for all.
        """
        if not self.reaches(values):
            return self.slices(values, label, limit, description, caption)
        drawn = draw_surfaces(self.labels, values, label, limit)
        return elements.figure(drawn, description, caption, "wide-picture")

    def slices(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Seen through, and in horizontal slices."""
        drawn = map_picture(self.image, values, label=label, limit=limit)
        return elements.figure(drawn, description, caption, "wide-picture")
