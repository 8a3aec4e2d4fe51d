"""Maps of the scores of a fit: a picture, or an image for other programs."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

import numpy as np

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.prediction_files import find_targets, targets_path
from training.config import Settings
from training.fitting.fit_folder import FitFolder
from training.maps.surface_pictures import draw_surfaces
from training.maps.surfaces import load_cortex
from training.maps.target_maps import SCORES, map_image, map_picture, values_at
from training.sources.labels import image_of_targets, read_surface_atlas
from training.sources.surface_files import STRUCTURES, is_surface
from training.statistics import ScoreName

VOLUME, CIFTI, GIFTI = ".nii.gz", ".dscalar.nii", ".func.gii"
IMAGES = (VOLUME, CIFTI, GIFTI)  # that scores are written as; everything else is a picture


class MapSettings(Settings):
    """Settings of a map of a fit.

    Attributes
    ----------
    split : str
        {"test", "validation"}: runs whose scores are drawn, means over them.
    score : str
        {"r", "r2"}: Pearson's r, or R².
    mesh : tuple of Path
        Surfaces of the left and the right hemisphere, best inflated, for a picture of targets on
        another surface than fsaverage5.
    """

    split: Literal["test", "validation"] = "test"
    score: ScoreName = "r"
    mesh: tuple[Path, ...] = ()


USUAL = MapSettings()


def draw_fit(fitted: str | Path, out: str | Path, settings: MapSettings = USUAL) -> None:
    """Draw the scores of a fit, means over runs, or write them as an image.

    Parameters
    ----------
    fitted : path-like
        Folder of a finished fit to a dataset with an image of its targets.
    out : path-like
        The PNG. Or an image of the scores: ``.nii.gz`` of targets in the volume, ``.dscalar.nii``
        of targets on a surface, or ``.func.gii``, which becomes two files, ``..._hemi-L.func.gii``
        and ``..._hemi-R.func.gii``.
    settings : MapSettings
        Side, score and mesh.

    Raises
    ------
    FileNotFoundError
        If there is no fit, it has no scores yet, or the dataset has no image.
    ValueError
        If nothing was scored in that split, or the targets are not in the volume or on the surface
        that `out` or `mesh` is for.
    """
    folder, out = FitFolder(fitted), Path(out)
    found = find_targets(folder.model_path())
    if found is None:
        image = targets_path(folder.model_path())
        raise FileNotFoundError(
            f"{folder.path} has no {image.name}: the targets of its dataset have no location in "
            "the brain, or labels were not given when it was prepared"
        )
    image = found[0]
    split = settings.split
    every = folder.scores()
    scores = every[every["split"] == split]
    if scores.empty:
        raise ValueError(
            f"{folder.path} has no scores of split {split!r}; there are "
            f"{', '.join(set(every['split']))}"
        )
    values = scores.groupby("target_id")[settings.score].mean().dropna().to_dict()
    name = SCORES[settings.score]
    if out.name.endswith(IMAGES):
        _write_images(image, values, out, name)
        return
    subjects = ", ".join(sorted(set(scores["subject"])))
    n_runs = len(scores.groupby(["subject", "run"]))
    title = (
        f"{folder.path.resolve().name}: {shorten(subjects, 60, placeholder=' ...')}, "
        f"{len(values)} targets, mean over {n_runs} {split} runs".replace("$", r"\$")
    )
    if is_surface(image):
        cortex = load_cortex(image, settings.mesh)
        write_atomically(out, draw_surfaces(cortex, values, name, title=title, kind="png"))
    elif settings.mesh:
        raise ValueError(f"{image} is a volume; mesh is for targets on a surface")
    else:
        write_atomically(out, map_picture(image, values, title, name))


def surface_map(targets_image: Path, values_by_id: Mapping[int, float], name: str = "score") -> Any:
    """A CIFTI image with each target's value in its grayordinates, as :func:`map_image`.

    Returns
    -------
    nibabel.Cifti2Image
        One map called `name`, for a ``.dscalar.nii`` file.
    """
    atlas = read_surface_atlas(targets_image)
    return image_of_targets(atlas.axis, values_at(targets_image, atlas.ids, values_by_id), name)


def _write_images(
    targets_image: Path, values_by_id: Mapping[int, float], out: Path, name: str
) -> None:
    """Write values as an image or as a pair of them, all or nothing."""
    if is_surface(targets_image) != (not out.name.endswith(VOLUME)):
        kinds = "ends in .dscalar.nii or .func.gii" if is_surface(targets_image) else "in .nii.gz"
        raise ValueError(f"{out}: the image for targets like those of {targets_image} {kinds}")
    if out.name.endswith(VOLUME):
        content = gzip.compress(map_image(targets_image, values_by_id).to_bytes(), mtime=0)
        write_atomically(out, content)
        return
    image = surface_map(targets_image, values_by_id, name)
    if out.name.endswith(CIFTI):
        write_atomically(out, image.to_bytes())
        return
    stem = out.name.removesuffix(GIFTI)
    for side, structure in STRUCTURES.items():
        path = out.with_name(f"{stem}_hemi-{side[0].upper()}{GIFTI}")
        write_atomically(path, _hemisphere(image, structure, side, name))


def _hemisphere(image: Any, structure: str, side: str, name: str) -> bytes:
    """A GIFTI file of one hemisphere of a CIFTI image."""
    from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

    axis = image.header.get_axis(1)
    own = axis.name == structure
    values = np.zeros(axis.nvertices.get(structure, 0), dtype=np.float32)
    values[axis.vertex[own]] = np.asarray(image.dataobj)[0][own]
    array = GiftiDataArray(values, intent="NIFTI_INTENT_SHAPE", meta=GiftiMetaData({"Name": name}))
    meta = GiftiMetaData({"AnatomicalStructurePrimary": f"Cortex{side.title()}"})
    content: bytes = GiftiImage(darrays=[array], meta=meta).to_bytes()
    return content
