"""Extraction of one column per target from a run on the cortical surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.bids import BoldFile
from training.sources.confounds import ConfoundSettings
from training.sources.extraction import denoised
from training.sources.labels import Atlas
from training.sources.sampling import ParcelMeans, said_space
from training.sources.surface_atlas import SurfaceAtlas, every_grayordinate
from training.sources.surface_files import open_series


@dataclass
class SurfaceExtraction:
    """Loader of runs: means of parcels, or single grayordinates.

    Vertices that are NaN throughout a run, as fMRIPrep's ``--medial-surface-nan`` leaves them, are
    not measured and enter no mean.

    Attributes
    ----------
    atlas : SurfaceAtlas
        Location of the targets.
    confounds : ConfoundSettings
        Confounds to regress out.
    detrend : bool
        Whether linear trends are removed.
    """

    atlas: SurfaceAtlas
    confounds: ConfoundSettings
    detrend: bool = False

    def check_space(self, run: BoldFile) -> None:
        """Reject a run on another surface than the atlas.

        Raises
        ------
        ValueError
            If names or numbers of vertices say so.
        """
        self._ids(run, open_series(run.bold, run.right).axis)

    def load(self, run: BoldFile, tr: float) -> NDArray[np.float64]:
        """Responses after confound regression, float64 ``(n_trs, n_targets)``, not z-scored.

        Columns are the targets of the atlas; NaN if the run has no grayordinate of a target.

        Raises
        ------
        ValueError
            If a file is damaged, the files are inconsistent, or the atlas is of another surface.
        """
        series = open_series(run.bold, run.right)
        ids = self._ids(run, series.axis)
        regressors = self.confounds.read(run, n_trs=series.n_trs)
        values = series.read()
        finite = np.isfinite(values)
        never = ~finite.any(axis=0)
        broken = (~finite & ~never & (ids > 0)).any(axis=1)
        if broken.any():
            raise ValueError(
                f"{run.bold} has values that are NaN or infinite at TR {np.argmax(broken)}, but "
                "not throughout the run; repair it, or exclude the run"
            )
        ids = np.where(never, 0, ids)[:, None, None]  # as a volume of one row of voxels
        sampler = ParcelMeans(ids, self.atlas.targets.ids, np.zeros(3, dtype=np.int64))
        part = sampler.box.slices[0]
        signals = np.stack([sampler.sample(row[part]) for row in values])
        return denoised(signals, regressors, self.detrend, tr)

    def _ids(self, run: BoldFile, axis: Any) -> NDArray[np.int32]:
        space = run.space.rstrip("56")  # fsaverage5 and 6 are meshes of fsaverage
        said = said_space(self.atlas.path, space).rstrip("56")
        if space and said != space:
            raise ValueError(
                f"{self.atlas.path} is in space {said}, {run.bold} in {space}; take a "
                "parcellation of the same surface"
            )
        return self.atlas.ids_on(axis, run.bold)


def surface_extraction(
    atlas: Atlas | SurfaceAtlas | None,
    first: BoldFile,
    confounds: ConfoundSettings,
    detrend: bool,
    name: str = "",
) -> SurfaceExtraction:
    """The loader of runs like `first`; without an atlas, every grayordinate is a target.

    Raises
    ------
    ValueError
        If the atlas is a volume.
    """
    if atlas is None:
        axis = open_series(first.bold, first.right).axis
        atlas = every_grayordinate(axis, first.bold, name)
    if isinstance(atlas, Atlas):
        raise ValueError(
            f"{atlas.path} is a volume and the runs are on a surface; give labels as .dlabel.nii, "
            ".dscalar.nii or a pair of .label.gii, or none for every grayordinate"
        )
    return SurfaceExtraction(atlas, confounds, detrend)
