"""Source of fMRIPrep runs, as parcels of an atlas or voxels of a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hear_brainsoundnet.nifti import open_image
from training.config import added_setting
from training.sources.bids import BoldFile, find_bold_files
from training.sources.confounds import (
    DISPLACEMENT,
    ConfoundSettings,
    column_names,
    framewise_displacement,
)
from training.sources.entities import Choice, Entities, EntityFilter
from training.sources.extraction import Extraction
from training.sources.labels import Atlas, LabelSettings, read_mask
from training.sources.sidecar import read_sidecars
from training.sources.source import Collection, Recording, is_excluded
from training.sources.stimuli import Stimulus, StimulusMatch, take_matched
from training.sources.stimulus_folder import StimulusFolder
from training.sources.timing import TR_TOLERANCE, Timing, grouped, read_timing

Seconds = Annotated[float, Field(gt=0, lt=1000)]
# Names of the scanner's space in fMRIPrep's --output-spaces; the images have no space entity then.
NATIVE = ("func", "bold", "run", "boldref", "sbref")
N_PROBLEMS = 3  # in one message


class FmriprepSource(LabelSettings):
    """fMRIPrep derivatives and their stimuli.

    Attributes
    ----------
    derivatives : Path
        Output folder of fMRIPrep, with ``sub-*/[ses-*/]func``.
    stimuli : Path
        Folder of audio or video files, searched recursively.
    task : str
        Task label; ``*`` and ``?`` are wildcards, as some datasets have one task per episode.
    match : StimulusMatch
        Stimulus of each run; by default named like its task.
    space, res : str or None
        Entities of the images; `res` if there are several resolutions. A `space` of null selects
        images without that entity, which are in the space of the scanner (so do fMRIPrep's names
        for it in ``--output-spaces``, "func" and "boldref").
    entities : mapping
        Other entities of the images, see :mod:`training.sources.entities`; ``{desc: preproc}`` and
        `space` apply unless overridden.
    subjects : tuple of str
        ``"01"`` or ``"sub-01"``; all if empty.
    tr : float or None
        Repetition time in seconds. It overrides headers and sidecars, with a finding where they
        differ; by default they must agree.
    start_time : float or None
        Time in seconds of TR 0 relative to the beginning of a run; by default ``StartTime`` of the
        sidecar (the reference time of slice-time correction), else 0.
    labels, mask : Path or None
        One of them: a label image, for targets that are means of parcels; or a mask, for targets
        that are voxels.
    least_overlap : float
        Fraction of the atlas that must lie within each brain mask.
    confounds : ConfoundSettings
        Confounds to regress out.
    smoothing_fwhm : float or None
        Gaussian smoothing of the images in mm.
    detrend : bool
        Whether a linear trend is removed.
    start : float
        Time in seconds of the stimulus when a run begins, unless given in the table; TR 0 is
        `start_time` later.
    """

    kind: Literal["fmriprep"]
    derivatives: Path
    stimuli: Path
    task: str = Field(min_length=1)
    match: StimulusMatch = StimulusMatch(pattern="{task}")
    space: str | None = "MNI152NLin2009cAsym"
    res: str | None = Field(None, coerce_numbers_to_str=True)
    entities: Entities = added_setting({})
    subjects: tuple[str, ...] = ()
    tr: Seconds | None = None
    start_time: float | None = added_setting(None)
    mask: Path | None = None
    least_overlap: float = Field(0.5, ge=0, le=1)
    confounds: ConfoundSettings = ConfoundSettings()
    smoothing_fwhm: float | None = Field(None, gt=0, le=50)
    detrend: bool = False
    start: float = 0.0

    @model_validator(mode="after")
    def _one_atlas(self) -> FmriprepSource:
        if (self.labels is None) == (self.mask is None):
            raise ValueError("give either labels (an image of parcels) or mask (voxels)")
        if twice := {"space", "res"} & self.model_fields_set & self.entities.keys():
            raise ValueError(f"{', '.join(sorted(twice))} stands in entities, too; give it once")
        return self

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Find the runs, their stimuli and the targets; no image except brain masks is read.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or inconsistent.
        """
        files, findings = find_bold_files(
            self.derivatives, self.task, self._images(), self.subjects
        )
        folder = StimulusFolder(self.stimuli)
        stimuli, said = self.match.assign([file.entities for file in files], folder)
        findings += said
        atlas = self._read_atlas()
        matched = [file for file, stimulus in zip(files, stimuli, strict=True) if stimulus]
        timings = self._check_headers(matched, exclude)
        findings += _notes(timings, matched)
        extraction = Extraction(
            atlas,
            self.confounds,
            self.smoothing_fwhm,
            self.detrend,
            self.least_overlap,
        )
        checked = [file for file in matched if file.bold in timings]
        for file in {file.subject: file for file in reversed(checked)}.values():
            extraction.check_space(file)  # early, for the first run of each subject
        # for an image not opened, the others' TR is a placeholder until it is left out
        other = Timing(next(iter(timings.values())).tr if timings else 0.0)
        make = [
            partial(self._recording, file, timings.get(file.bold, other), extraction)
            for file in files
        ]
        recordings, paths, findings = take_matched(stimuli, make, folder, findings)
        return Collection(
            "time_series", atlas.targets, recordings, paths, [*findings, *atlas.findings]
        )

    def _images(self) -> EntityFilter:
        """Filter for the image of a run."""
        space: Choice = (self.space or None,)
        if self.space in NATIVE:
            space = (None, self.space)
        named = {"space": space}
        if self.res is not None:
            named["res"] = (self.res,)
        return EntityFilter(named | {"desc": ("preproc",)} | self.entities)

    def _read_atlas(self) -> Atlas:
        atlas = self.read_atlas() if self.mask is None else read_mask(self.mask, self.atlas)
        assert atlas is not None  # see _one_atlas
        return atlas

    def _check_headers(
        self, files: Sequence[BoldFile], exclude: Sequence[str]
    ) -> dict[Path, Timing]:
        """Timing of each image; all problems are reported together.

        Images that will be left out are not opened.
        """
        timings: dict[Path, Timing] = {}
        problems: list[str] = []
        for file in files:
            if is_excluded(file.subject, file.name, exclude):
                continue
            try:
                image = open_image(file.bold, n_dimensions=4)
                sidecars = read_sidecars(file.bold, self.derivatives)
                timing = read_timing(image, file.bold, sidecars, self.tr, self.start_time)
                self.confounds.check(file, n_trs=image.shape[3], tr=timing.tr)
            except (OSError, ValueError) as error:
                problems.append(str(error))
            else:
                timings[file.bold] = timing
        if problems:
            raise ValueError(_at_once(problems))
        if not timings:
            return {}
        trs = {path: timing.tr for path, timing in timings.items()}
        shortest, longest = min(trs, key=trs.__getitem__), max(trs, key=trs.__getitem__)
        if trs[longest] - trs[shortest] > TR_TOLERANCE:
            raise ValueError(
                f"runs differ in repetition time: {trs[shortest]:g} s in {shortest}, "
                f"{trs[longest]:g} s in {longest}; take one kind with task:, entities: or subjects:"
            )
        tr = next(iter(trs.values()))
        return {path: replace(timing, tr=tr) for path, timing in timings.items()}

    def _recording(
        self, file: BoldFile, timing: Timing, extraction: Extraction, stimulus: Stimulus
    ) -> Recording:
        motion = None
        looked_at = timing.n_trs is not None  # otherwise its files may be damaged
        if looked_at and file.confounds and DISPLACEMENT in column_names(file.confounds):
            motion = partial(framewise_displacement, file.confounds)
        read = (
            file.bold,
            file.mask,
            file.confounds,
            file.sidecar,
            self.labels,
            self.mask,
            self.label_table,
            *timing.files,
        )
        start = self.start if stimulus.start is None else stimulus.start
        return Recording(
            subject=file.subject,
            run=file.name,
            stimulus=stimulus.name,
            load=partial(extraction.load, file, timing.tr),
            tr=timing.tr,
            start=start + timing.first,
            session=file.session,
            episode=stimulus.episode,
            season=stimulus.season,
            files=tuple(path for path in read if path is not None),
            motion=motion,
            n_trs=timing.n_trs,
        )


def _notes(timings: Mapping[Path, Timing], files: Sequence[BoldFile]) -> list[str]:
    runs: dict[str, list[str]] = {}
    for file in files:
        for note in timings[file.bold].notes if file.bold in timings else ():
            runs.setdefault(note, []).append(f"{file.subject}_{file.name}")
    return grouped(runs)


def _at_once(problems: Sequence[str]) -> str:
    more = len(problems) - N_PROBLEMS
    shown = "; ".join(problems[:N_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    if len(problems) == 1:
        return shown
    return f"{len(problems)} runs cannot be used, exclude those without a remedy: {shown}"
