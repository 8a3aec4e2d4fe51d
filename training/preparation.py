"""From a source to the prepared dataset: audio first, then run by run, then the page for people.

Started again after an end at any moment, it goes on where it was and comes to the same files:
sounds and runs are skipped that were made from the same source files with the same settings.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hear_brainsoundnet.lock import one_job_per_folder
from training.checksums import checksum_of
from training.collection_checks import check_collection, leave_out
from training.dataset_info import DatasetInfo, SourceFile
from training.prepared import Prepared, Run, audio_file
from training.prepared_writer import (
    SUMMARY_FILE,
    Claim,
    SubjectWriter,
    UnfinishedDataset,
    remove_others,
    write_targets_image,
)
from training.progress import bar
from training.run_checks import RunRules
from training.run_preparation import RunPreparation, missing_targets
from training.sources.cneuromod import CneuromodSource
from training.sources.fmriprep import FmriprepSource
from training.sources.sound_responses import SoundResponsesSource
from training.sources.source import Collection
from training.sources.time_series import TimeSeriesSource
from training.stimuli import DEFAULT_SAMPLE_RATE, PreparedSound, prepare_sound
from training.summary import write_summary

logger = logging.getLogger(__name__)

_PACKAGES = ("hear-brainsoundnet", "numpy", "soxr", "soundfile", "av", "h5py", "nilearn", "nibabel")


class PreparationSettings(RunRules):
    """What can be set whatever the source.

    Attributes
    ----------
    name : str
        Name of the dataset.
    exclude : tuple of str
        Patterns of subjects (``"sub-03"``) and runs (``"sub-03/ses-001_task-*"``) to leave out.
    sample_rate : int
        Rate of the prepared audio in Hz.
    audio_stream : int, optional
        Which sound track of films that have several, counted from 0; by default the one marked as
        default, or the first, of those that are no commentary or description.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    exclude: tuple[str, ...] = ()
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)] = DEFAULT_SAMPLE_RATE
    audio_stream: Annotated[int, Field(ge=0)] | None = None


class PrepareRecipe(PreparationSettings):
    """A recipe of ``python -m training prepare``: where from (`source`) and where to (`out`)."""

    out: Path
    source: Annotated[
        FmriprepSource | CneuromodSource | SoundResponsesSource | TimeSeriesSource,
        Field(discriminator="kind"),
    ]


def prepare(recipe: PrepareRecipe, *, progress: bool = True) -> Prepared:
    """Prepare the dataset of a recipe; see :func:`prepare_collection`."""
    return prepare_collection(recipe.source.collect(), recipe, recipe.out, progress=progress)


@one_job_per_folder()
def prepare_collection(
    collection: Collection, settings: PreparationSettings, out: Path, *, progress: bool = True
) -> Prepared:
    """Write what a source has found as a prepared dataset.

    Parameters
    ----------
    collection : Collection
        Runs, targets and stimuli.
    settings : PreparationSettings
        The recipe; all of it is kept in ``dataset.json``.
    out : Path
        The dataset's folder: new, empty, or that of the same dataset, which is then brought up to
        date.
    progress : bool
        Whether to show bars on standard error.

    Returns
    -------
    Prepared
        The dataset, opened.

    Raises
    ------
    ValueError
        If the collection, a file or a run is not as it should be: the message names it, and what
        to do. What is done up to there is kept.
    OSError
        If something cannot be read or written.
    """
    collection = check_collection(leave_out(collection, settings.exclude))
    out = Path(out)
    claim = Claim(out, settings.name)
    files = sorted({Path(file) for each in collection.recordings for file in each.files})
    hashing = ThreadPoolExecutor(max_workers=1)  # beside the work on runs
    try:
        checksums = {file: hashing.submit(checksum_of, file) for file in files}
        findings = _Findings()
        findings.extend(collection.findings)
        sounds = _prepare_sounds(collection, settings, claim, findings, progress)
        runs = _prepare_runs(collection, settings, claim, sounds, findings, progress)
        remove_others(out, {run.subject for run in runs}, sounds)
        sources = _source_files(sounds, checksums)
    finally:
        hashing.shutdown(cancel_futures=True)
    info = DatasetInfo(
        name=settings.name,
        kind=collection.kind,
        tr=runs[0].tr,
        sample_rate=settings.sample_rate,
        atlas=collection.targets.atlas,
        target_ids=collection.targets.ids,
        target_names=collection.targets.names,
        sources=sources,
        findings=tuple(findings.all),
        recipe=settings.model_dump(mode="json"),
        versions=_versions(),
    )
    write_targets_image(out, collection.targets.image)
    motion = {(each.subject, each.run): each.motion for each in collection.recordings}
    write_summary(UnfinishedDataset(out, info, runs), out / SUMMARY_FILE, motion, progress=progress)
    claim.finish(info)
    return Prepared(out)


class _Findings:
    """What was noticed, each logged when it is added."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def extend(self, findings: Iterable[str]) -> None:
        for finding in findings:
            logger.warning(finding)
            self.all.append(finding)


def _prepare_sounds(
    collection: Collection,
    settings: PreparationSettings,
    claim: Claim,
    findings: _Findings,
    progress: bool,
) -> dict[str, PreparedSound]:
    sounds = {}
    for name in bar(sorted(collection.stimuli), desc="audio", shown=progress):
        target = audio_file(claim.out, name)
        if claim.is_damaged(target):
            target.unlink()
        sound = prepare_sound(
            Path(collection.stimuli[name]), target, settings.sample_rate, settings.audio_stream
        )
        if claim.is_damaged(target):  # it was made again: the checksum is that of the old one
            claim.keep(target)
        findings.extend(f"stimulus {name}: {finding}" for finding in sound.findings)
        if sound.n_clipped:
            findings.extend(
                [
                    f"stimulus {name}: {sound.n_clipped} of {sound.n_samples} samples were beyond "
                    "full scale and are clipped"
                ]
            )
        sounds[name] = sound
    return sounds


def _prepare_runs(
    collection: Collection,
    settings: PreparationSettings,
    claim: Claim,
    sounds: dict[str, PreparedSound],
    findings: _Findings,
    progress: bool,
) -> list[Run]:
    """All runs, by subject and then in the order of the collection."""
    preparation = RunPreparation(collection.targets, collection.kind, settings, sounds)
    recordings = sorted(collection.recordings, key=lambda each: each.subject)  # keeps the order
    runs: list[Run] = []
    with bar(total=len(recordings), desc="runs", shown=progress) as runs_done:
        for subject, group in groupby(recordings, key=lambda each: each.subject):
            writer = SubjectWriter(claim, subject)
            done = preparation.prepare_subject(writer, list(group), runs_done.update)
            for each in done:
                findings.extend(each.findings)
            findings.extend(missing_targets(writer.path, collection.targets))
            runs.extend(each.run for each in done)
    return runs


def _source_files(
    sounds: dict[str, PreparedSound], checksums: dict[Path, Future[str]]
) -> tuple[SourceFile, ...]:
    sources = {
        sound.path: SourceFile(path=sound.path, n_bytes=sound.n_bytes, checksum=sound.checksum)
        for sound in sounds.values()
    }
    for file, checksum in checksums.items():
        sources[str(file)] = SourceFile(
            path=str(file), n_bytes=file.stat().st_size, checksum=checksum.result()
        )
    return tuple(sources[path] for path in sorted(sources))


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # a checkout that is not installed
            continue
    return versions
