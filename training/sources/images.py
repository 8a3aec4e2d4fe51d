"""Base of sources whose runs are images to denoise, in volumes or on surfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hear_brainsoundnet.nifti import open_image
from training.config import added_setting
from training.sources.bids import BoldFile
from training.sources.confounds import (
    DISPLACEMENT,
    ConfoundSettings,
    column_names,
    framewise_displacement,
)
from training.sources.extraction import Extraction, SurfaceExtraction
from training.sources.labels import LabelSettings
from training.sources.source import Collection, Recording, is_excluded
from training.sources.stimuli import Stimulus, take_matched
from training.sources.stimulus_folder import StimulusFolder
from training.sources.surface_files import is_surface, open_series
from training.sources.timing import (
    TR_TOLERANCE,
    Timing,
    grouped,
    header_tr,
    read_sidecars,
    read_timing,
)

Seconds = Annotated[float, Field(gt=0, lt=1000)]
N_PROBLEMS = 3  # in one message


class ImageSource(LabelSettings):
    """Settings of all sources of images.

    Attributes
    ----------
    stimuli : Path
        Folder of audio or video files, searched recursively.
    tr : float or None
        Repetition time in seconds. It overrides headers and sidecars, with a finding where they
        differ; by default they must agree.
    start_time : float or None
        Time in seconds of TR 0 relative to the beginning of a run; by default ``StartTime`` of the
        sidecar (the reference time of slice-time correction), else 0.
    confounds : ConfoundSettings
        Confounds to regress out.
    detrend : bool
        Whether a linear trend is removed.
    start : float
        Time in seconds of the stimulus when a run begins, unless given for the run; TR 0 is
        `start_time` later.
    """

    stimuli: Path
    tr: Seconds | None = None
    start_time: float | None = added_setting(None)
    confounds: ConfoundSettings = ConfoundSettings()
    detrend: bool = False
    start: float = 0.0

    def _collection(
        self,
        files: Sequence[BoldFile],
        stimuli: Sequence[Stimulus | None],
        folder: StimulusFolder,
        findings: list[str],
        exclude: Sequence[str],
    ) -> Collection:
        """The collection of runs and their stimuli, after a check of headers and spaces."""
        extraction = self._extraction(files)
        atlas = extraction.atlas
        matched = [file for file, stimulus in zip(files, stimuli, strict=True) if stimulus]
        timings = self._check_headers(matched, exclude)
        findings = [*findings, *_notes(timings, matched)]
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

    def _extraction(self, files: Sequence[BoldFile]) -> Extraction | SurfaceExtraction:
        """The loader of the runs `files`, at least one."""
        raise NotImplementedError

    def _root(self, file: BoldFile) -> Path:
        """The uppermost folder to search for sidecars."""
        raise NotImplementedError

    def _atlas_files(self) -> tuple[Path | None, ...]:
        return self.labels, self.right_labels, self.label_table

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
                n_trs, in_header = _header(file)
                sidecars = read_sidecars(file.bold, self._root(file))
                timing = read_timing(
                    file.bold, n_trs, in_header, sidecars, self.tr, self.start_time
                )
                self.confounds.check(file, n_trs=n_trs, tr=timing.tr)
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
        self,
        file: BoldFile,
        timing: Timing,
        extraction: Extraction | SurfaceExtraction,
        stimulus: Stimulus,
    ) -> Recording:
        motion = None
        looked_at = timing.n_trs is not None  # otherwise its files may be damaged
        if looked_at and file.confounds and DISPLACEMENT in column_names(file.confounds):
            motion = partial(framewise_displacement, file.confounds)
        read = (
            file.bold,
            file.right,
            file.mask,
            file.confounds,
            file.sidecar,
            *self._atlas_files(),
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


def _header(file: BoldFile) -> tuple[int, float | None]:
    """Number of TRs, and the repetition time in seconds if the header has it."""
    if is_surface(file.bold):
        series = open_series(file.bold, file.right)
        return series.n_trs, series.tr
    image = open_image(file.bold, n_dimensions=4)
    return int(image.shape[3]), header_tr(image)


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
