"""Scores on the inflated cortex: a static picture of four sides, and an interactive view."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.maps.surfaces import (
    HEMISPHERES,
    Cortex,
    Floats,
    Mesh,
    face_labels,
    sharp_mesh,
    surface_values,
)
from training.maps.target_maps import COLOURS, colour_limit

# Hemisphere, and the direction of view along the x axis.
SIDES = (("left", -1), ("left", 1), ("right", -1), ("right", 1))
GYRUS, SULCUS = 0.86, 0.68  # greys of cortex without a value
VIEW_STYLE = (
    "<style>body { margin: 0; overflow: hidden; font: 14px system-ui, sans-serif; }"
    " select { font: inherit; margin: 4px 8px; }</style>"
)
# nilearn redraws its page when the window changes, which fails for a window of size zero: on paper,
# where the view is hidden, and while it is closed.
NO_SIZE_NO_DRAWING = (
    "<script>window.addEventListener('resize', event => "
    "{ if (!innerWidth || !innerHeight) event.stopImmediatePropagation(); });</script>"
)
GAP = 12.0  # mm between the hemispheres of the interactive view


def draw_surfaces(
    cortex: Cortex,
    values_by_id: Mapping[int, float],
    label: str = "",
    limit: float | None = None,
    title: str = "",
    kind: str = "webp",
) -> bytes:
    """Both hemispheres, inflated, lateral and medial views.

    Parameters
    ----------
    cortex : Cortex
        Surface and targets, see :func:`training.maps.surfaces.load_cortex`.
    values_by_id : mapping
        Target id to value; targets without one are grey.
    label : str
        Label of the colour bar.
    limit : float, optional
        Colours range from minus to plus this, by default the largest absolute value.
    title : str
        Heading.
    kind : str
        {"webp", "png"}: a lossless WebP is half the size of a PNG.

    Returns
    -------
    bytes
        The picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    colours = ScalarMappable(Normalize(*_ends(values_by_id, limit)), COLOURS)
    height = 1.75 if not title else 2.1
    figure = Figure(figsize=(9, height), dpi=120 if kind == "webp" else 200)
    share = 1.75 / height  # of the brains
    FigureCanvasAgg(figure)
    for place, (side, direction) in enumerate(SIDES):
        axes = figure.add_axes((0.003 + 0.23 * place, 0.01, 0.225, 0.98 * share))
        half = cortex.meshes[side]
        values = surface_values(face_labels(cortex.labels[side], half.faces), values_by_id)
        _draw_side(axes, half, _face_colours(half, values, colours), direction)
        axes.text(
            0.5, 0.0, view_name(side, direction), transform=axes.transAxes, ha="center", fontsize=7
        )
    bar = figure.colorbar(colours, cax=figure.add_axes((0.93, 0.12, 0.01, 0.76 * share)))
    bar.ax.tick_params(labelsize=8, length=2)
    bar.set_label(label.replace("$", r"\$"), fontsize=8)
    bar.outline.set_visible(False)
    if title:
        figure.suptitle(title, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, pil_kwargs={"lossless": True} if kind == "webp" else {})
    return buffer.getvalue()


def view_name(side: str, direction: int) -> str:
    """Name of the hemisphere and view.

    Examples
    --------
    >>> view_name("left", -1), view_name("right", -1)
    ('left, from outside', 'right, from inside')
    """
    is_outside = direction == (-1 if side == "left" else 1)
    return f"{side}, from {'outside' if is_outside else 'inside'}"


def _ends(values_by_id: Mapping[int, float], limit: float | None) -> tuple[float, float]:
    largest = limit or colour_limit(values_by_id)
    return -largest, largest


def _face_colours(half: Mesh, values: Floats, colours: Any) -> NDArray[np.float64]:
    """One colour per face, ``(n_faces, 4)``; grey without a value, darker in sulci.

    Parameters
    ----------
    values : ndarray
        ``(n_faces,)``, NaN for none.
    """
    is_sulcus = half.depth[half.faces].mean(axis=1) > 0
    grey = np.where(is_sulcus, SULCUS, GYRUS)[:, None]
    painted = np.hstack([grey, grey, grey, np.ones_like(grey)])
    has_value = np.isfinite(values)
    painted[has_value] = colours.to_rgba(values[has_value])
    return painted


def _draw_side(axes: Any, half: Mesh, colours: NDArray[np.float64], direction: int) -> None:
    """The faces that look along the view direction, the far ones first."""
    from matplotlib.collections import PolyCollection

    corners = half.inflated[half.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = direction * normals[:, 0]
    seen = np.flatnonzero(towards > 0)
    seen = seen[np.argsort(direction * corners[seen, :, 0].mean(axis=1))]
    light = 0.85 + 0.15 * towards[seen] / np.linalg.norm(normals[seen], axis=1)
    shaded = colours[seen] * np.column_stack([light, light, light, np.ones_like(light)])
    flat: Any = corners[seen][:, :, 1:] * [direction, 1]  # from the left, the front is on the left
    axes.add_collection(PolyCollection(flat, facecolors=shaded, edgecolors=shaded, linewidths=0.25))
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set_axis_off()


def turning_view(
    cortex: Cortex,
    values_by_id: Mapping[int, float],
    limit: float | None = None,
) -> str:
    """nilearn's interactive view of both hemispheres, a self-contained HTML page.

    Parameters
    ----------
    cortex, values_by_id, limit
        As for :func:`draw_surfaces`. Values of exactly 0 are grey here.
    """
    from nilearn.plotting import view_surf
    from nilearn.surface import InMemoryMesh

    coordinates, faces, values, depth, n_vertices = [], [], [], [], 0
    for side, direction in zip(HEMISPHERES, (-1, 1), strict=True):
        half = cortex.meshes[side]
        vertices, ids, own_faces = sharp_mesh(cortex.labels[side], half.faces)
        inner_edge = (direction * half.inflated[:, 0]).min()
        shift = direction * (GAP / 2 - inner_edge)
        coordinates.append(half.inflated[vertices] + [shift, 0, 0])
        faces.append(own_faces + n_vertices)
        values.append(surface_values(ids, values_by_id))
        depth.append(half.depth[vertices])
        n_vertices += len(vertices)
    low, high = _ends(values_by_id, limit)
    view = view_surf(
        InMemoryMesh(np.concatenate(coordinates), np.concatenate(faces)),
        np.nan_to_num(np.concatenate(values)),
        # In [0, 1], so that nilearn interprets them as greys.
        bg_map=np.where(np.concatenate(depth) > 0, 1 - SULCUS, 1 - GYRUS),
        threshold=min(1e-9, high / 2),  # cortex without a value stays grey
        cmap=COLOURS,
        vmin=low,
        vmax=high,
        symmetric_cmap=True,
        colorbar_height=0.6,
        colorbar_fontsize=13,
    )
    # The only external address in nilearn's page is that of its icon.
    page = re.sub(r"<link\b[^>]*>", "", view.html)
    page = page.replace("<head>", f"<head>{NO_SIZE_NO_DRAWING}", 1)
    return page.replace("</head>", f"{VIEW_STYLE}</head>", 1)
