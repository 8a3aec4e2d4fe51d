"""Runs that fMRIPrep has preprocessed, as parcels of an atlas or voxels of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.config import Settings
from training.sources.bids import BoldFile, find_bold_files
from training.sources.confounds import (
    DISPLACEMENT,
    ConfoundSettings,
    column_names,
    framewise_displacement,
)
from training.sources.extraction import Extraction
from training.sources.labels import Atlas, read_labels, read_mask
from training.sources.nifti import TR_TOLERANCE, open_image, repetition_time
from training.sources.source import Collection, Recording
from training.sources.stimuli import Stimulus, StimulusMatch, take_matched
from training.sources.stimulus_folder import StimulusFolder

Seconds = Annotated[float, Field(gt=0, lt=1000)]


class FmriprepSource(Settings):
    """fMRIPrep derivatives and the stimuli that played.

    Attributes
    ----------
    derivatives : Path
        Folder that fMRIPrep wrote, with ``sub-*/[ses-*/]func``.
    stimuli : Path
        Folder of sound or video files, searched with all its subfolders.
    task : str
        Task label; ``*`` and ``?`` are possible, as some datasets have one task per episode.
    match : StimulusMatch
        Which stimulus played in which run; a run's is named as its task where not given.
    space, res : str
        Entities of the images; `res` where there is more than one resolution.
    subjects : tuple of str
        ``"01"`` or ``"sub-01"``; all where empty.
    tr : float or None
        Repetition time in seconds; headers and sidecars must agree with it.
    labels, mask : Path or None
        One of them: a label image, each parcel of which becomes the mean of its voxels; or a mask,
        each voxel of which becomes a target.
    label_table, id_column, name_column : Path and str or None
        Names of the labels; see :func:`training.sources.labels.read_labels`.
    atlas : str
        Name of the atlas; that of the image's file where empty.
    least_overlap : float
        Share of the atlas that must lie within each brain mask.
    confounds : ConfoundSettings
        What is regressed out.
    smoothing_fwhm : float or None
        Gaussian smoothing of the images in mm.
    detrend : bool
        Whether a linear trend is removed.
    start : float
        Seconds of the stimulus at TR 0, where the table does not say otherwise.
    """

    kind: Literal["fmriprep"]
    derivatives: Path
    stimuli: Path
    task: str = Field(min_length=1)
    match: StimulusMatch = StimulusMatch(pattern="{task}")
    space: str = "MNI152NLin2009cAsym"
    res: str | None = Field(None, coerce_numbers_to_str=True)
    subjects: tuple[str, ...] = ()
    tr: Seconds | None = None
    labels: Path | None = None
    mask: Path | None = None
    label_table: Path | None = None
    id_column: str | None = None
    name_column: str | None = None
    atlas: str = ""
    least_overlap: float = Field(0.5, ge=0, le=1)
    confounds: ConfoundSettings = ConfoundSettings()
    smoothing_fwhm: float | None = Field(None, gt=0, le=50)
    detrend: bool = False
    start: float = 0.0

    @model_validator(mode="after")
    def _one_atlas(self) -> FmriprepSource:
        if (self.labels is None) == (self.mask is None):
            raise ValueError("give either labels (an image of parcels) or mask (voxels)")
        if self.label_table is not None and self.labels is None:
            raise ValueError("label_table names the parcels of labels; a mask has none")
        return self

    def collect(self) -> Collection:
        """Find the runs, their stimuli and the targets; no image but the brain masks is read.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or contradict each other.
        """
        files, findings = find_bold_files(
            self.derivatives, self.task, self.space, self.res, self.subjects
        )
        folder = StimulusFolder(self.stimuli)
        stimuli, said = self.match.assign([file.entities for file in files], folder)
        findings += said
        atlas = self._read_atlas()
        matched = [file for file, stimulus in zip(files, stimuli, strict=True) if stimulus]
        tr = self._check_headers(matched)
        extraction = Extraction(
            atlas,
            self.space,
            self.confounds,
            self.smoothing_fwhm,
            self.detrend,
            self.least_overlap,
        )
        for file in {file.subject: file for file in reversed(matched)}.values():
            extraction.check_space(file)  # the first run of each subject, before a long preparation
        make = [partial(self._recording, file, tr, extraction) for file in files]
        recordings, paths, findings = take_matched(stimuli, make, folder, findings)
        return Collection(
            "time_series", atlas.targets, recordings, paths, [*findings, *atlas.findings]
        )

    def _read_atlas(self) -> Atlas:
        if self.mask is not None:
            return read_mask(self.mask, self.atlas)
        if self.labels is None:
            raise ValueError("give either labels (an image of parcels) or mask (voxels)")
        return read_labels(
            self.labels, self.label_table, self.id_column, self.name_column, self.atlas
        )

    def _check_headers(self, files: Sequence[BoldFile]) -> float:
        trs: dict[Path, float] = {}
        for file in files:
            image = open_image(file.bold, n_dimensions=4)
            trs[file.bold] = repetition_time(image, file.bold, file.sidecar, self.tr)
            self.confounds.check(file, duration=image.shape[3] * trs[file.bold])
        if not trs:
            return 0.0
        shortest, longest = min(trs, key=trs.__getitem__), max(trs, key=trs.__getitem__)
        if trs[longest] - trs[shortest] > TR_TOLERANCE:
            raise ValueError(
                f"runs differ in repetition time: {trs[shortest]:g} s in {shortest}, "
                f"{trs[longest]:g} s in {longest}; take one kind with task: or subjects:"
            )
        return next(iter(trs.values()))

    def _recording(
        self, file: BoldFile, tr: float, extraction: Extraction, stimulus: Stimulus
    ) -> Recording:
        motion = None
        if file.confounds is not None and DISPLACEMENT in column_names(file.confounds):
            motion = partial(framewise_displacement, file.confounds)
        read = (
            file.bold,
            file.mask,
            file.confounds,
            file.sidecar,
            self.labels,
            self.mask,
            self.label_table,
        )
        return Recording(
            subject=file.subject,
            run=file.name,
            stimulus=stimulus.name,
            load=partial(extraction.load, file, tr),
            tr=tr,
            start=self.start if stimulus.start is None else stimulus.start,
            session=file.session,
            episode=stimulus.episode,
            season=stimulus.season,
            files=tuple(path for path in read if path is not None),
            motion=motion,
        )
