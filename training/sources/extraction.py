"""From a preprocessed run to one column per target: the mean of a parcel, or a voxel of a mask."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.bids import BoldFile
from training.sources.confounds import ConfoundSettings
from training.sources.grids import check_space, labels_on_grid, nearest_voxels, same_grid
from training.sources.labels import Atlas
from training.sources.nifti import read_voxels

CONSTANT = 1e-6  # a range that is smaller than this part of the values is rounding


@dataclass
class Extraction:
    """Loads runs, one at a time.

    An atlas on another grid than the images is brought onto theirs by nearest neighbour, as in
    nilearn's ``resampling_target="data"``; only voxels of the run's brain mask count. With a mask,
    the images are brought onto the mask's grid instead (by splines), so that its voxels are the
    same in every run, and the brain mask plays no part.

    Attributes
    ----------
    atlas : Atlas
        Where the targets lie.
    space : str
        The space of the images.
    confounds : ConfoundSettings
        What is regressed out.
    smoothing_fwhm : float or None
        Gaussian smoothing before voxels are taken, in mm.
    detrend : bool
        Whether linear trends are removed.
    least_overlap : float
        As in :func:`training.sources.grids.check_space`.
    """

    atlas: Atlas
    space: str
    confounds: ConfoundSettings
    smoothing_fwhm: float | None = None
    detrend: bool = False
    least_overlap: float = 0.5
    _warned: set[str] = field(default_factory=set)

    def check_space(self, run: BoldFile) -> tuple[NDArray[np.bool_], NDArray[Any]]:
        """The brain mask of a run and its affine, if the atlas is in the same space."""
        voxels, affine = read_voxels(run.mask, n_dimensions=3)
        brain = voxels > 0.5
        check_space(self.atlas, self.space, brain, affine, self.least_overlap, run.mask)
        return brain, affine

    def load(self, run: BoldFile, tr: float) -> NDArray[np.float64]:
        """Responses without the confounds, float64 ``(n_trs, n_targets)``, not z-scored.

        Columns are the targets of the atlas; NaN where the run has no voxel of a target, which is
        said once per subject in a warning.

        Raises
        ------
        ValueError
            If a file is damaged, the files do not fit each other, or the atlas is elsewhere.
        """
        from nilearn.signal import clean

        brain, brain_affine = self.check_space(run)
        bold, affine = read_voxels(run.bold, n_dimensions=4)
        if not same_grid(brain.shape, brain_affine, bold.shape[:3], affine):
            raise ValueError(
                f"{run.mask} {brain.shape} is not on the grid of {run.bold} {bold.shape[:3]}"
            )
        regressors = self.confounds.read(run, n_trs=bold.shape[3])
        if self.smoothing_fwhm:
            bold = _smoothed(bold, affine, self.smoothing_fwhm)
        if self.atlas.unit == "voxel":
            signals = _voxel_signals(bold, affine, self.atlas)
        else:
            ids = labels_on_grid(self.atlas, bold.shape[:3], affine)
            signals = parcel_means(bold, np.where(brain, ids, 0), self.atlas.targets.ids)
        del bold
        measured = np.isfinite(signals[0])
        self._warn_of_absent(run, measured)
        # what does not vary stays exactly so: rounding would be z-scored into noise
        varies = measured & (np.ptp(signals, axis=0) > CONSTANT * np.abs(signals).max(axis=0))
        signals[:, measured & ~varies] = 0
        signals[:, varies] = clean(
            signals[:, varies],
            confounds=regressors,
            detrend=self.detrend,
            standardize=None,
            filter=False,
            t_r=tr,
        )
        return signals

    def _warn_of_absent(self, run: BoldFile, measured: NDArray[np.bool_]) -> None:
        targets = self.atlas.targets
        absent = [
            f"{i} ({name})"
            for i, name, there in zip(targets.ids, targets.names, measured, strict=True)
            if not there
        ]
        if absent and run.subject not in self._warned:
            self._warned.add(run.subject)
            shown = ", ".join(absent[:20]) + (", ..." if len(absent) > 20 else "")
            warnings.warn(
                f"{run.subject}: {len(absent)} of {len(measured)} targets have no voxel within "
                f"{run.mask.name} and are NaN: {shown}",
                stacklevel=3,
            )


def parcel_means(
    bold: NDArray[np.float32], labels: NDArray[np.int32], ids: tuple[int, ...]
) -> NDArray[np.float64]:
    """Mean over the voxels of each label.

    Parameters
    ----------
    bold : ndarray
        ``(x, y, z, n_trs)``.
    labels : ndarray
        The id of each voxel ``(x, y, z)``; 0 for none.
    ids : tuple of int
        Ascending; columns of the result.

    Returns
    -------
    means : ndarray
        float64 ``(n_trs, len(ids))``; NaN where a label has no voxel.

    Examples
    --------
    >>> bold = np.arange(8, dtype=np.float32).reshape(2, 2, 1, 2)
    >>> parcel_means(bold, np.array([[[3], [3]], [[7], [0]]]), ids=(3, 5, 7))
    array([[ 1., nan,  4.],
           [ 2., nan,  5.]])
    """
    flat = labels.ravel(order="F")  # images in memory have their first axis fastest
    voxels = np.flatnonzero(flat)
    column = np.searchsorted(ids, flat[voxels])
    counts = np.bincount(column, minlength=len(ids)).astype(np.float64)
    counts[counts == 0] = np.nan
    means = np.empty((bold.shape[3], len(ids)))
    for i in range(bold.shape[3]):
        volume = bold[..., i].ravel(order="F")[voxels]
        means[i] = np.bincount(column, weights=volume, minlength=len(ids)) / counts
    return means


def _voxel_signals(
    bold: NDArray[np.float32], affine: NDArray[Any], atlas: Atlas
) -> NDArray[np.float64]:
    from nibabel import Nifti1Image
    from nilearn.image import resample_img

    shape = bold.shape[:3]
    points = np.argwhere(atlas.ids)  # C order, as the ids
    _, within = nearest_voxels(points, atlas.affine, shape, to=affine)
    if not same_grid(atlas.ids.shape, atlas.affine, shape, affine):
        image = resample_img(
            Nifti1Image(bold, affine),
            target_affine=atlas.affine,
            target_shape=atlas.ids.shape,
            interpolation="continuous",
            copy_header=True,
            force_resample=True,
        )
        bold = np.asanyarray(image.dataobj)
    signals = bold[tuple(points.T)].T.astype(np.float64)
    signals[:, ~within] = np.nan
    return signals


def _smoothed(bold: NDArray[np.float32], affine: NDArray[Any], fwhm: float) -> NDArray[np.float32]:
    from nibabel import Nifti1Image
    from nilearn.image import smooth_img

    smoothed: NDArray[np.float32] = np.asanyarray(
        smooth_img(Nifti1Image(bold, affine), fwhm).dataobj
    )
    return smoothed
