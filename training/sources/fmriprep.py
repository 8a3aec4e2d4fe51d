"""Source of fMRIPrep runs, as parcels of an atlas, voxels of a mask, or on the cortical surface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from training.config import added_setting
from training.sources.bids import EXTENSIONS, BoldFile, Format, find_bold_files
from training.sources.entities import Choice, Entities, EntityFilter
from training.sources.extraction import Extraction, SurfaceExtraction, surface_extraction
from training.sources.images import ImageSource
from training.sources.labels import Atlas, read_mask
from training.sources.source import Collection
from training.sources.stimuli import StimulusMatch
from training.sources.stimulus_folder import StimulusFolder

# Names of the scanner's space in fMRIPrep's --output-spaces; the images have no space entity then.
NATIVE = ("func", "bold", "run", "boldref", "sbref")


class FmriprepSource(ImageSource):
    """fMRIPrep derivatives and their stimuli.

    Attributes
    ----------
    derivatives : Path
        Output folder of fMRIPrep, with ``sub-*/[ses-*/]func``.
    task : str
        Task label; ``*`` and ``?`` are wildcards, as some datasets have one task per episode.
    match : StimulusMatch
        Stimulus of each run; by default named like its task.
    format : str
        {"nifti", "cifti", "gifti"}: volumes, ``.dtseries.nii``, or ``.func.gii`` of both
        hemispheres.
    space, res : str or None
        Entities of the images; `res` if there are several resolutions. A `space` of null selects
        images without that entity, which are in the space of the scanner (so do fMRIPrep's names
        for it in ``--output-spaces``, "func" and "boldref"). On surfaces, any by default.
    entities : mapping
        Other entities of the images, see :mod:`training.sources.entities`; ``{desc: preproc}`` (on
        surfaces also none) and `space` apply unless overridden.
    subjects : tuple of str
        ``"01"`` or ``"sub-01"``; all if empty.
    labels, mask : Path or None
        One of them: labels, for targets that are means of parcels; or a mask, for targets that are
        voxels. On surfaces labels, or none for every grayordinate as a target.
    least_overlap : float
        Fraction of the atlas that must lie within each brain mask.
    smoothing_fwhm : float or None
        Gaussian smoothing of the volumes in mm.
    """

    kind: Literal["fmriprep"]
    derivatives: Path
    task: str = Field(min_length=1)
    match: StimulusMatch = StimulusMatch(pattern="{task}")
    format: Format = added_setting("nifti")
    space: str | None = "MNI152NLin2009cAsym"
    res: str | None = Field(None, coerce_numbers_to_str=True)
    entities: Entities = added_setting({})
    subjects: tuple[str, ...] = ()
    mask: Path | None = None
    least_overlap: float = Field(0.5, ge=0, le=1)
    smoothing_fwhm: float | None = Field(None, gt=0, le=50)

    @model_validator(mode="after")
    def _one_atlas(self) -> FmriprepSource:
        if self.format == "nifti":
            if (self.labels is None) == (self.mask is None):
                raise ValueError("give either labels (an image of parcels) or mask (voxels)")
        elif self.mask is not None or self.smoothing_fwhm is not None:
            raise ValueError(
                f"mask and smoothing_fwhm are for volumes, not for format: {self.format}; smooth "
                "surfaces before, as with wb_command -cifti-smoothing"
            )
        if twice := {"space", "res"} & self.model_fields_set & self.entities.keys():
            raise ValueError(f"{', '.join(sorted(twice))} stands in entities, too; give it once")
        return self

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Find the runs, their stimuli and the targets; of volumes, only brain masks are read.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or inconsistent.
        """
        files, findings = find_bold_files(
            self.derivatives, self.task, self._images(), self.subjects, self.format
        )
        folder = StimulusFolder(self.stimuli)
        stimuli, unmatched = self.match.assign([file.entities for file in files], folder)
        return self._collection(files, stimuli, folder, [*findings, *unmatched], exclude)

    def _images(self) -> EntityFilter:
        """Filter for the image of a run."""
        space: Choice = (self.space or None,)
        if self.space in NATIVE:
            space = (None, self.space)
        named = {"space": space}
        desc: Choice = ("preproc",)
        if self.format != "nifti":
            desc = (None, "preproc")
            if "space" not in self.model_fields_set:
                del named["space"]
        if self.res is not None:
            named["res"] = (self.res,)
        return EntityFilter(named | {"desc": desc} | self.entities)

    def _extraction(self, files: Sequence[BoldFile]) -> Extraction | SurfaceExtraction:
        atlas = self.read_atlas() if self.mask is None else read_mask(self.mask, self.atlas)
        if self.format != "nifti":
            return surface_extraction(atlas, files[0], self.confounds, self.detrend, self.atlas)
        if not isinstance(atlas, Atlas):
            raise ValueError(
                f"{self.labels} is on a surface, the images are volumes; set format: cifti or "
                f"gifti for runs in {' or '.join(EXTENSIONS['cifti'] + EXTENSIONS['gifti'])}"
            )
        return Extraction(
            atlas, self.confounds, self.smoothing_fwhm, self.detrend, self.least_overlap
        )

    def _root(self, file: BoldFile) -> Path:
        return self.derivatives

    def _atlas_files(self) -> tuple[Path | None, ...]:
        return *super()._atlas_files(), self.mask
