"""Extraction of one column per target from a preprocessed run.

In volumes the mean of a parcel, or a voxel of a mask; on the surface the mean of a parcel, or a
grayordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.bids import BoldFile
from training.sources.confounds import ConfoundSettings
from training.sources.labels import Atlas, SurfaceAtlas, every_grayordinate
from training.sources.sampling import (
    MaskVoxels,
    ParcelMeans,
    Sampler,
    check_space,
    labels_on_grid,
    named_space,
    same_grid,
    smooth,
    smoothing_in_voxels,
    smoothing_margin,
)
from training.sources.surface_files import open_series
from training.sources.volumes import Volumes, open_volumes, read_voxels

CONSTANT = 1e-6  # a relative range below this is rounding


def denoised(
    signals: NDArray[np.float64],
    regressors: NDArray[np.float64] | None,
    detrend: bool,
    tr: float,
) -> NDArray[np.float64]:
    """Signals after confound regression, ``(n_trs, n_targets)``; may change `signals`.

    Columns that are not finite stay so, and constant ones become 0: z-scoring would amplify
    rounding errors.
    """
    from nilearn.signal import clean

    measured = np.isfinite(signals[0])
    varies = measured & (np.ptp(signals, axis=0) > CONSTANT * np.abs(signals).max(axis=0))
    signals[:, measured & ~varies] = 0
    if varies.any():
        signals[:, varies] = clean(
            signals[:, varies],
            confounds=regressors,
            detrend=detrend,
            standardize=None,
            filter=False,
            t_r=tr,
        )
    return signals


@dataclass
class Extraction:
    """Loader of runs, volume by volume within the bounding box of the targets.

    An atlas on another grid than the images is resampled to theirs by nearest neighbour, as in
    nilearn's ``resampling_target="data"``; only voxels of the run's brain mask count. With a mask,
    the images are resampled to the mask's grid instead (by splines), so that its voxels are the
    same in every run, and the brain mask is ignored.

    Attributes
    ----------
    atlas : Atlas
        Location of the targets.
    confounds : ConfoundSettings
        Confounds to regress out.
    smoothing_fwhm : float or None
        Gaussian smoothing of the volumes, in mm.
    detrend : bool
        Whether linear trends are removed.
    least_overlap : float
        As in :func:`training.sources.sampling.check_space`.
    """

    atlas: Atlas
    confounds: ConfoundSettings
    smoothing_fwhm: float | None = None
    detrend: bool = False
    least_overlap: float = 0.5

    def check_space(self, run: BoldFile) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """The brain mask of a run and its affine, after checking that the atlas is in the same
        space."""
        assert run.mask is not None
        voxels, affine = read_voxels(run.mask, n_dimensions=3, finite=False)
        brain = voxels > 0.5  # excludes NaN
        if not brain.any():
            raise ValueError(f"{run.mask} is empty: no voxel is in the brain; fetch or write it")
        check_space(self.atlas, run.space, brain, affine, self.least_overlap, run.mask)
        return brain, affine

    def load(self, run: BoldFile, tr: float) -> NDArray[np.float64]:
        """Responses after confound regression, float64 ``(n_trs, n_targets)``, not z-scored.

        Columns are the targets of the atlas; NaN if the run has no voxel of a target.

        Raises
        ------
        ValueError
            If a file is damaged, the files are inconsistent, or the atlas is in another space.
        """
        brain, brain_affine = self.check_space(run)
        volumes = open_volumes(run.bold)
        if not same_grid(brain.shape, brain_affine, volumes.shape, volumes.affine):
            raise ValueError(
                f"{run.mask} {brain.shape} is not on the grid of {run.bold} {volumes.shape}"
            )
        regressors = self.confounds.read(run, n_trs=volumes.n_trs)
        signals = self._signals(volumes, brain)
        return denoised(signals, regressors, self.detrend, tr)

    def _signals(self, volumes: Volumes, brain: NDArray[np.bool_]) -> NDArray[np.float64]:
        """One value per TR and target, within the bounding box of the targets."""
        deviation = smoothing_in_voxels(self.smoothing_fwhm, volumes.affine)
        sampler = self._sampler(volumes, brain, smoothing_margin(deviation))
        brain = brain[sampler.box.slices]
        signals = np.empty((volumes.n_trs, len(self.atlas.targets.ids)))
        unmeasured = np.zeros(signals.shape[1], dtype=bool)
        low = high = 0.0
        for i, (volume, lowest, highest) in enumerate(volumes.within(sampler.box)):
            finite = np.isfinite(volume)
            if not finite.all():
                if n_bad := int(np.count_nonzero(~finite & brain)):
                    raise ValueError(
                        f"{volumes.path}: {n_bad} voxel values within the brain mask are NaN or "
                        f"infinite at TR {i}; repair the image, or exclude the run"
                    )
                unmeasured |= sampler.sample_nearest(~finite)
                volume[~finite] = 0
            smooth(volume, deviation)
            signals[i] = sampler.sample(volume)
            low, high = min(low, lowest), max(high, highest)
        # splines overshoot: clip to the range of the image, as in nilearn
        np.clip(signals, low, high, out=signals)
        signals[:, unmeasured] = np.nan
        return signals

    def _sampler(
        self, volumes: Volumes, brain: NDArray[np.bool_], margin: NDArray[np.int64]
    ) -> Sampler:
        if self.atlas.unit == "voxel":
            return MaskVoxels(self.atlas, volumes.shape, volumes.affine, margin)
        ids = labels_on_grid(self.atlas, volumes.shape, volumes.affine)
        return ParcelMeans(np.where(brain, ids, 0), self.atlas.targets.ids, margin)


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
        named = named_space(self.atlas.path, space).rstrip("56")
        if space and named != space:
            raise ValueError(
                f"{self.atlas.path} is in space {named}, {run.bold} in {space}; take a "
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
