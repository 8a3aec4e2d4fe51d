"""Brain maps of scores: each target's value in its voxels."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hear_brainsoundnet.nifti import read_label_image

SCORES = {"r": "Pearson r", "r2": "R²"}
COLOURS = "RdBu_r"
N_SLICES = 6


def map_image(targets_image: str | Path, values_by_id: Mapping[int, float]) -> Any:
    """An image with each target's value in its voxels.

    Parameters
    ----------
    targets_image : path-like
        A three-dimensional image whose voxel values are target ids, 0 for background.
    values_by_id : mapping
        Target id to value. Voxels of targets that have none, or NaN, are 0.

    Returns
    -------
    nibabel.Nifti1Image
        float32, on the grid of `targets_image`.

    Raises
    ------
    FileNotFoundError
        If there is no such image.
    ValueError
        If it cannot be read, or lacks a target id.
    """
    import nibabel

    path = Path(targets_image)
    labels = read_label_image(path)
    values = values_at(path, labels.ids, values_by_id)
    return nibabel.Nifti1Image(values.reshape(labels.ids.shape), labels.affine)


def values_at(path: Path, where: Any, values_by_id: Mapping[int, float]) -> Any:
    """The value of each id, float32, flat; 0 for none."""
    ids, places = np.unique(where, return_inverse=True)
    missing = sorted(set(values_by_id) - set(ids[ids != 0].tolist()))
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of {len(values_by_id)} target ids, the first is "
            f"{missing[0]}; give the image of the atlas that the values belong to"
        )
    values = np.array([values_by_id.get(int(i), 0.0) for i in ids], dtype=np.float32)
    return np.nan_to_num(values)[places.ravel()]


def colour_limit(*maps: Mapping[int, float]) -> float:
    """The largest absolute value of several maps: a common symmetric colour scale.

    Examples
    --------
    >>> colour_limit({1: 0.2, 2: -0.5}, {1: 0.4}, {})
    0.5
    """
    values = [abs(value) for each in maps for value in each.values() if math.isfinite(value)]
    return float(max(values, default=0.0)) or 1.0


def map_picture(
    targets_image: str | Path,
    values_by_id: Mapping[int, float],
    title: str = "",
    label: str = "",
    limit: float | None = None,
) -> bytes:
    """Values on the brain: glass brain from four sides, and horizontal slices.

    Parameters
    ----------
    targets_image, values_by_id
        As for :func:`map_image`, in MNI space.
    title : str
        Heading.
    label : str
        Label of the colour bar.
    limit : float, optional
        Colours range from minus to plus this; maps to compare share a :func:`colour_limit`. By
        default the largest absolute value.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from nilearn import plotting

    image = map_image(targets_image, values_by_id)
    largest = limit or colour_limit(values_by_id)
    figure = Figure(figsize=(10, 4.6 if title else 4.3), dpi=130)
    FigureCanvasAgg(figure)
    shared = {
        "figure": figure,
        "cmap": COLOURS,
        "vmin": -largest,
        "vmax": largest,
        "threshold": 1e-9,  # voxels without a value are not drawn
        "colorbar": False,
        # no interpolation, neither between grids nor between pixels
        "resampling_interpolation": "nearest",
        "interpolation": "nearest",
    }
    glass = plotting.plot_glass_brain(
        image, display_mode="lyrz", axes=(0.01, 0.42, 0.88, 0.5), plot_abs=False, **shared
    )
    for side in ("left", "right"):  # indistinguishable from the side otherwise
        view = glass.axes[side[0]].ax
        view.text(0.5, 0.0, side, transform=view.transAxes, ha="center", va="top", fontsize=8)
    plotting.plot_stat_map(
        image,
        display_mode="z",
        cut_coords=_slices(image),
        axes=(0.01, 0.01, 0.88, 0.4),
        draw_cross=False,
        **shared,
    )
    figure.colorbar(
        ScalarMappable(Normalize(-largest, largest), COLOURS),
        cax=figure.add_axes((0.92, 0.2, 0.013, 0.6)),
        label=label,
    )
    figure.suptitle(title, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _slices(image: Any) -> list[float]:
    """Heights in mm that divide the voxels with a value into equal parts."""
    drawn = np.argwhere(np.asarray(image.dataobj) != 0)
    if not len(drawn):
        drawn = np.array([[size // 2 for size in image.shape]])
    heights = np.sort(drawn @ image.affine[2, :3] + image.affine[2, 3])
    shares = (np.arange(N_SLICES) + 0.5) / N_SLICES
    return sorted({float(heights[int(share * len(heights))]) for share in shares})
