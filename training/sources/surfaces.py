"""Source of runs on the cortical surface, listed one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from training.sources.bids import BoldFile, Format, other_hemisphere, with_companions
from training.sources.extraction import SurfaceExtraction, surface_extraction
from training.sources.images import ImageSource
from training.sources.source import Collection
from training.sources.stimuli import Stimulus
from training.sources.stimulus_folder import StimulusFolder
from training.sources.surface_files import CIFTI_SERIES, SERIES
from training.sources.time_series import RunFile, refuse_repeats


class SurfaceRun(RunFile):
    """One run; `file` is ``.dtseries.nii``, or ``.func.gii`` of the left hemisphere.

    Attributes
    ----------
    right_file : Path, optional
        ``.func.gii`` of the right hemisphere; by default the file with ``hemi-R`` in its name.
    confounds : Path, optional
        Table of confounds in fMRIPrep's format; by default the one beside the file, named as by
        fMRIPrep.
    """

    right_file: Path | None = None
    confounds: Path | None = None


class SurfacesSource(ImageSource):
    """Runs on the cortical surface, listed one by one; a run is named like its file by default.

    Attributes
    ----------
    runs : tuple of SurfaceRun
        The files.
    labels : Path or None
        Parcellation whose means are the targets; by default every grayordinate is a target.
    """

    kind: Literal["surfaces"]
    runs: Annotated[tuple[SurfaceRun, ...], Field(min_length=1)]

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Find the stimuli and the targets; headers are read.

        Raises
        ------
        FileNotFoundError
            If a folder or file is missing.
        ValueError
            If files are damaged or inconsistent, or a run is given twice.
        """
        folder = StimulusFolder(self.stimuli)
        files = [_bold_file(run) for run in self.runs]
        stimuli = [_stimulus(run, folder) for run in self.runs]
        findings = [
            f"left out, the stimulus is not in {self.stimuli}: {run.file}"
            for run, stimulus in zip(self.runs, stimuli, strict=True)
            if stimulus is None
        ]
        collection = self._collection(files, stimuli, folder, findings, exclude)
        refuse_repeats(collection.recordings)
        return collection

    def _extraction(self, files: Sequence[BoldFile]) -> SurfaceExtraction:
        atlas = self.read_atlas()
        return surface_extraction(atlas, files[0], self.confounds, self.detrend, self.atlas)

    def _root(self, file: BoldFile) -> Path:
        return file.bold.parent


def _bold_file(run: SurfaceRun) -> BoldFile:
    name = run.file.name.lower()
    if not name.endswith(SERIES):
        raise ValueError(f"{run.file} is not on a surface, expected {' or '.join(SERIES)}")
    kind: Format = "cifti" if name.endswith(CIFTI_SERIES) else "gifti"
    found = with_companions(run.file, kind)
    right = run.right_file
    if kind == "gifti" and right is None and other_hemisphere(run.file) != run.file:
        right = other_hemisphere(run.file)
    entities = {**found.entities, "sub": run.subject.removeprefix("sub-")}
    if run.session:
        entities["ses"] = run.session
    return replace(
        found,
        entities=entities,
        confounds=run.confounds or found.confounds,
        right=right,
        named=run.run or run.file.name.partition(".")[0],
    )


def _stimulus(run: SurfaceRun, folder: StimulusFolder) -> Stimulus | None:
    path = folder.get(run.stimulus or run.run or run.file.name.partition(".")[0])
    if path is None:
        return None
    return Stimulus(path.stem, path, run.episode or path.stem, run.season, run.start)
