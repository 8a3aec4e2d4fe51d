"""Preparation from a source to the dataset: audio first, then run by run, then the summary page.

After an interruption at any moment it resumes and gives the same files: stimuli and runs made from
the same source files with the same settings are skipped. The number of processes does not affect
the files.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hear_brainsoundnet.lock import one_job_per_folder
from training.checksums import checksum_of
from training.config import added_setting
from training.data.dataset_info import DatasetInfo, SourceFile
from training.data.findings import Findings
from training.data.prepared import Prepared, Run
from training.data.prepared_writer import (
    SUMMARY_FILE,
    Claim,
    SubjectWriter,
    UnfinishedDataset,
    remove_others,
    write_targets_image,
)
from training.data.stimuli import DEFAULT_SAMPLE_RATE, PreparedSound
from training.prepare.collection_checks import check_collection, leave_out
from training.prepare.prepared_sounds import check_announced_extents, extents, prepare_sounds
from training.prepare.run_checks import RunRules, check_extents
from training.prepare.run_preparation import RunPreparation, missing_targets
from training.prepare.summary import Motion, write_summary
from training.prepare.synchrony import out_of_step, out_of_step_findings, synchrony_of_dataset
from training.progress import bar
from training.sources.cneuromod import CneuromodSource
from training.sources.fmriprep import FmriprepSource
from training.sources.sound_responses import SoundResponsesSource
from training.sources.source import Collection
from training.sources.surfaces import SurfacesSource
from training.sources.time_series import TimeSeriesSource

_PACKAGES = ("hear-brainsoundnet", "numpy", "soxr", "soundfile", "av", "h5py", "nilearn", "nibabel")


class PreparationSettings(RunRules):
    """Settings common to all sources.

    Attributes
    ----------
    name : str
        Name of the dataset.
    exclude : tuple of str
        Patterns of subjects (``"sub-03"``) and runs (``"sub-03/ses-001_task-*"``) to leave out.
    sample_rate : int
        Rate of the prepared audio in Hz.
    audio_stream : int, optional
        Index of the audio track, from 0; by default the one marked as default, or the first, among
        those that are not a commentary or description.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    exclude: tuple[str, ...] = ()
    sample_rate: Annotated[int, Field(ge=1_000, le=1_000_000)] = DEFAULT_SAMPLE_RATE
    audio_stream: Annotated[int, Field(ge=0)] | None = added_setting(None)


class PrepareRecipe(PreparationSettings):
    """A recipe of ``python -m training prepare``.

    Attributes
    ----------
    out : Path
        Folder of the dataset.
    source : mapping
        Input, by its kind; see :mod:`training.sources`.
    """

    out: Path
    source: Annotated[
        FmriprepSource | SurfacesSource | CneuromodSource | SoundResponsesSource | TimeSeriesSource,
        Field(discriminator="kind"),
    ]


def prepare(recipe: PrepareRecipe, *, n_workers: int = 1, progress: bool = True) -> Prepared:
    """Prepare the dataset of a recipe; see :func:`prepare_collection`."""
    collection = recipe.source.collect(recipe.exclude)
    return prepare_collection(
        collection, recipe, recipe.out, n_workers=n_workers, progress=progress
    )


@one_job_per_folder()
def prepare_collection(
    collection: Collection,
    settings: PreparationSettings,
    out: Path,
    *,
    n_workers: int = 1,
    progress: bool = True,
) -> Prepared:
    """Write the collection of a source as a prepared dataset.

    Parameters
    ----------
    collection : Collection
        Runs, targets and stimuli.
    settings : PreparationSettings
        The recipe; stored in ``dataset.json``.
    out : Path
        The dataset's folder: new, empty, or that of the same dataset, which is then updated.
    n_workers : int
        Number of worker processes.
    progress : bool
        Whether to show progress bars on standard error.

    Returns
    -------
    Prepared
        The dataset, opened.

    Raises
    ------
    ValueError
        If the collection, a file or a run is invalid; the message gives its name and the remedy.
        Finished work is kept.
    OSError
        If something cannot be read or written.
    """
    collection = check_collection(leave_out(collection, settings.exclude))
    out = Path(out)
    check_announced_extents(collection, settings)
    claim = Claim(out, settings.name)
    files = sorted({Path(file) for each in collection.recordings for file in each.files})
    hashing = ThreadPoolExecutor(max_workers=1)  # concurrent with the runs
    try:
        checksums = {file: hashing.submit(checksum_of, file) for file in files}
        findings = Findings()
        findings.extend(collection.findings)
        sounds, of_sounds = prepare_sounds(
            collection.stimuli,
            claim,
            settings.sample_rate,
            settings.audio_stream,
            n_workers=n_workers,
            progress=progress,
        )
        findings.extend(of_sounds)
        durations = {name: sound.duration for name, sound in sounds.items()}
        check_extents(extents(collection, durations), settings)
        runs, of_runs = _prepare_runs(collection, settings, claim, sounds, n_workers, progress)
        findings.extend(of_runs)
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
        recipe=settings.model_dump(mode="json"),
        versions=package_versions(),
    )
    write_targets_image(out, collection.targets.image)
    motion = {(each.subject, each.run): each.motion for each in collection.recordings}
    return finish_dataset(claim, info, runs, findings, motion, progress=progress)


def finish_dataset(
    claim: Claim,
    info: DatasetInfo,
    runs: list[Run],
    findings: Findings,
    motion: Motion | None,
    *,
    progress: bool,
) -> Prepared:
    """Last step of a dataset whose files are all there: synchrony, summary, ``dataset.json``.

    Parameters
    ----------
    claim : Claim
        The folder.
    info, runs, findings
        Of the dataset; the findings of its synchrony are added.
    motion : mapping or None
        Head motion of each run, for the summary.
    progress : bool
        Whether to show progress bars.
    """
    dataset = UnfinishedDataset(claim.out, info, runs)
    synchrony = synchrony_of_dataset(dataset, progress=progress)
    doubtful = out_of_step(synchrony)
    findings.extend(out_of_step_findings(doubtful))
    info = info.model_copy(update={"findings": findings.grouped(), "out_of_step": doubtful})
    dataset = UnfinishedDataset(claim.out, info, runs)
    write_summary(dataset, claim.out / SUMMARY_FILE, motion, synchrony, progress=progress)
    claim.finish(info)
    return Prepared(claim.out)


def package_versions() -> dict[str, str]:
    """Versions of the packages that affect prepared data."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # a checkout that is not installed
            continue
    return versions


def _prepare_runs(
    collection: Collection,
    settings: PreparationSettings,
    claim: Claim,
    sounds: dict[str, PreparedSound],
    n_workers: int,
    progress: bool,
) -> tuple[list[Run], list[str]]:
    """All runs, by subject and then in the order of the collection; and the findings."""
    preparation = RunPreparation(collection.targets, collection.kind, settings, sounds)
    by_subject = {
        subject: [each for each in collection.recordings if each.subject == subject]
        for subject in sorted({each.subject for each in collection.recordings})
    }
    writers = {subject: SubjectWriter(claim, subject) for subject in by_subject}
    with bar(total=len(collection.recordings), desc="runs", shown=progress) as runs_done:
        done = preparation.prepare_subjects(writers, by_subject, n_workers, runs_done.update)
    runs: list[Run] = []
    findings: list[str] = []
    for subject in by_subject:
        findings += [finding for each in done[subject] for finding in each.findings]
        findings += missing_targets(writers[subject].path, collection.targets)
        runs += [each.run for each in done[subject]]
    return runs, findings


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
