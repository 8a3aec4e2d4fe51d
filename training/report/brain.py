"""Maps: each model on one colour scale, one of them in slices and in an interactive view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from training.evaluation.folders import ModelInfo
from training.maps.surface_pictures import draw_surfaces, turning_view
from training.maps.surfaces import Cortex, UnknownMesh, load_cortex
from training.maps.target_maps import colour_limit, map_picture
from training.report import elements
from training.report.elements import at_level, brain
from training.report.results import Evaluation, Results
from training.sources.surface_files import is_surface

MOST_MAPS = 8
# A view adds 3 MB to the page, most of it nilearn's drawing library.
MOST_VIEWS = 2
NO_IMAGE = (
    "There are no maps: the evaluation has no image of its targets (targets.nii.gz), so that their "
    "place in the brain is not known."
)
FROM_LEFT = (
    "From left to right: left hemisphere from outside and inside, right hemisphere from inside and "
    "outside."
)
NOT_ON_SURFACE = (
    "No target lies in the cortex of fsaverage5 (the image is coarse, or covers another part of "
    "the brain), hence slices instead of surfaces."
)


@dataclass(frozen=True)
class Atlas:
    """An image of targets and their location on the surface.

    Attributes
    ----------
    image, mesh
        As for :func:`training.maps.surfaces.load_cortex`.
    """

    image: Path
    mesh: tuple[Path, ...] = ()

    @cached_property
    def cortex(self) -> Cortex:
        """The surface, and the target of each vertex."""
        return load_cortex(self.image, self.mesh)

    @cached_property
    def unknown(self) -> str:
        """Why the surface cannot be drawn for want of a mesh; empty if it can."""
        try:
            self.cortex  # noqa: B018
        except UnknownMesh as error:
            return f"{error} (report --mesh LEFT --mesh RIGHT)"
        return ""

    @property
    def is_volume(self) -> bool:
        """Whether the targets are in a volume, not on a surface."""
        return not is_surface(self.image)

    @cached_property
    def on_surface(self) -> frozenset[int]:
        """Ids of the targets at some vertex."""
        return frozenset(
            int(i) for labels in self.cortex.labels.values() for i in set(labels.tolist()) if i
        )

    def reaches(self, values: Mapping[int, float]) -> bool:
        """Whether one of these targets is at some vertex."""
        return not self.on_surface.isdisjoint(values)

    def figure(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Surfaces, or slices of a volume if no target reaches the surface.

        Parameters
        ----------
        values, label, limit
            As for :func:`training.maps.surface_pictures.draw_surfaces`.
        description, caption : str
            Alternative text, and visible caption.
        """
        if self.is_volume and not self.reaches(values):
            return self.slices(values, label, limit, description, caption)
        drawn = draw_surfaces(self.cortex, values, label, limit)
        return elements.figure(drawn, description, caption, "wide-picture")

    def slices(
        self, values: Mapping[int, float], label: str, limit: float, description: str, caption: str
    ) -> str:
        """Glass brain and horizontal slices."""
        drawn = map_picture(self.image, values, label=label, limit=limit)
        return elements.figure(drawn, description, caption, "wide-picture")


def maps(results: Results) -> str:
    """The section of maps, over all evaluations."""
    parts = []
    n_views = 0
    for evaluation in results.evaluations:
        parts.append(results.heading(evaluation))
        if evaluation.image is None:
            parts.append(elements.paragraph(NO_IMAGE))
            continue
        maps_of = _Maps(evaluation, Atlas(evaluation.image, results.mesh))
        if maps_of.atlas.unknown:
            parts.append(elements.paragraph(f"There are no maps: {maps_of.atlas.unknown}."))
            continue
        parts.append(maps_of.still())
        if n_views < MOST_VIEWS and (view := maps_of.turning()):
            parts.append(view)
            n_views += 1
    return elements.section("Maps", "maps", parts)


class _Maps:
    """The maps of an evaluation: the featured model first, then the others in order."""

    def __init__(self, evaluation: Evaluation, atlas: Atlas) -> None:
        self.evaluation = evaluation
        self.atlas = atlas
        scored = sorted(evaluation.scored, key=lambda model: model != evaluation.featured)
        self.n_scored = len(scored)
        self.models = scored[:MOST_MAPS]
        self.values = {model.name: evaluation.map_values(model) for model in self.models}
        self.limit = colour_limit(*self.values.values())
        self.drawn = [model for model in self.models if self.values[model.name]]

    def still(self) -> str:
        """The static pictures of all models."""
        parts = [elements.paragraph(self._explanation())]
        if self.drawn:
            first, *others = self.drawn
            values, name = self.values[first.name], self.evaluation.score_name
            parts.append(self._figure(first))
            if self.atlas.is_volume and self.atlas.reaches(values):
                description = f"{name} of {first.name} in slices of the brain"
                caption = f"{first.name}: seen through, and in slices at these heights in mm."
                parts.append(self.atlas.slices(values, name, self.limit, description, caption))
            parts.append(elements.side_by_side(*map(self._figure, others)))
        empty = [model.name for model in self.models if not self.values[model.name]]
        if empty:
            parts.append(elements.paragraph(f"Without a significant target: {', '.join(empty)}."))
        return "\n".join(parts)

    def turning(self) -> str:
        """The interactive view of the first model; empty if no target is on the surface."""
        if not self.drawn or not self.atlas.reaches(self.values[self.drawn[0].name]):
            return ""
        name = self.drawn[0].name
        view = turning_view(self.atlas.cortex, self.values[name], self.limit)
        return elements.paragraph(
            f"{name}, drag to turn, scroll to come closer:", "note turn"
        ) + elements.frame(view, f"Map of {name} that can be turned")

    def _figure(self, model: ModelInfo) -> str:
        values, name = self.values[model.name], self.evaluation.score_name
        caption = f"{model.name}, {brain(self.evaluation.shown_subject(model))}: {_targets(values)}"
        if not self.atlas.is_volume or self.atlas.reaches(values):
            caption += "."
        else:
            caption += ", in slices: none of them reaches the surface."
        description = f"{name} of {model.name} on the brain"
        return self.atlas.figure(values, name, self.limit, description, caption)

    def _explanation(self) -> str:
        info, low, high = self.evaluation.info, -self.limit, self.limit
        n_seen = len(self.atlas.on_surface.intersection(info.target_ids))
        sentences = [
            f"{self.evaluation.score_name} of each target in its place, all models on one scale "
            f"from {elements.number(low, 2)} to {elements.number(high, 2)}.",
            f"Targets that are not significant ({at_level(info)}) are left grey."
            if self.evaluation.has_p
            else "No p values were made: all targets are drawn.",
        ]
        if not self.atlas.is_volume:
            sentences.append(
                f"{n_seen} of {len(info.target_ids)} targets lie on this surface. {FROM_LEFT}"
            )
        elif n_seen:
            sentences += [
                f"{n_seen} of {len(info.target_ids)} targets reach the surface, the others are in "
                "the slices only.",
                "Each point of the surface has the value of the target that most voxels between "
                f"white matter and pia belong to there. {FROM_LEFT}",
            ]
        else:
            sentences.append(NOT_ON_SURFACE)
        if self.n_scored > len(self.models):
            sentences.append(f"Maps of {len(self.models)} of {self.n_scored} models.")
        return " ".join(sentences)


def _targets(values: Mapping[int, float]) -> str:
    return f"{len(values)} target" + "s" * (len(values) != 1)
