"""Merging of prepared datasets of different subjects.

All of them must have the same kind, targets, repetition time, audio rate and preparation settings,
and equal names must mean equal samples. Files are copied unchanged.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from hear_brainsoundnet.files import writing
from hear_brainsoundnet.lock import one_job_per_folder
from training.data.dataset_info import DatasetInfo, FileState, SourceFile
from training.data.findings import Findings
from training.data.prepared import Prepared
from training.data.prepared_files import AGAIN, TARGETS_IMAGES, image_in, state_of
from training.data.prepared_writer import Claim, remove_others
from training.prepare.preparation import finish_dataset

logger = logging.getLogger(__name__)

# Recipe keys that may differ between datasets to merge: names, paths, subjects. Instead of paths
# their content is compared: audio, targets and their image.
_MAY_DIFFER = frozenset({"name", "out", "exclude", "short_scans", "missing_trs", "audio_stream"})
_MAY_DIFFER_IN_SOURCE = frozenset(
    {"derivatives", "fmri", "responses", "files", "pattern", "runs", "subject", "subjects"}
    | {"task", "tasks", "stimuli", "stimulus", "sounds", "match", "table"}
    | {"labels", "label_table", "mask"}
)


@one_job_per_folder()
def merge_datasets(
    parts: Sequence[str | Path], out: str | Path, *, name: str = "", progress: bool = True
) -> Prepared:
    """Merge several datasets into one.

    Parameters
    ----------
    parts : sequence of path-like
        Folders of two or more prepared datasets, with disjoint subjects.
    out : path-like
        Folder of the new one. When restarted, only missing files are copied.
    name : str
        Name of the new dataset; by default that of the first part.
    progress : bool
        Whether to show progress bars on standard error.

    Returns
    -------
    Prepared
        The dataset, opened.

    Raises
    ------
    FileNotFoundError
        If a folder holds no dataset.
    ValueError
        If the parts are incompatible, or one of them is damaged.
    OSError
        If something cannot be written.
    """
    out = Path(out)
    if len(parts) < 2:
        raise ValueError(f"expected two prepared datasets or more, got {len(parts)}")
    if out.resolve() in {Path(part).resolve() for part in parts}:
        raise ValueError(f"{out} is one of the datasets to merge; give another folder")
    datasets = [Prepared(part) for part in parts]
    first = datasets[0].info
    for other in datasets[1:]:
        _refuse_others(datasets[0], other)
    _refuse_repeats(datasets)
    files = _files_of_all(datasets)
    claim = Claim(out, name or first.name)
    remove_others(
        out,
        {subject for dataset in datasets for subject in dataset.subjects},
        {Path(path).stem for path in files if path.startswith("audio/")},
    )
    for path, (source, state) in files.items():
        _copy(source, out / path, state)
    runs = sorted((run for each in datasets for run in each.runs), key=lambda run: run.subject)
    info = DatasetInfo(
        name=name or first.name,
        kind=first.kind,
        tr=first.tr,
        sample_rate=first.sample_rate,
        atlas=first.atlas,
        target_ids=first.target_ids,
        target_names=first.target_names,
        sources=_sources(datasets),
        recipe={"merged": _recipes(datasets)},
        versions=_versions(datasets),
    )
    findings = Findings(text for each in datasets for text in each.info.findings)
    return finish_dataset(claim, info, runs, findings, None, progress=progress)


def _refuse_others(one: Prepared, other: Prepared) -> None:
    """Reject datasets that were prepared differently."""
    for field in ("kind", "tr", "sample_rate", "atlas", "target_ids", "target_names"):
        mine, its = getattr(one.info, field), getattr(other.info, field)
        if mine != its:
            what = f"{mine!r} in {one.folder}, {its!r} in {other.folder}"
            if isinstance(mine, tuple):
                what = f"{len(mine)} in {one.folder}, {len(its)} in {other.folder}, or others"
            raise ValueError(f"datasets of one {field} can be merged, got {what}")
    for mine, its in ((a, b) for a in _recipes([one]) for b in _recipes([other])):
        if differing := _differing(mine, its):
            raise ValueError(
                f"{one.folder} and {other.folder} were prepared with other settings "
                f"({'; '.join(differing)}); prepare one of them again with those of the other"
            )


def _differing(mine: JsonValue, its: JsonValue) -> list[str]:
    if not isinstance(mine, dict) or not isinstance(its, dict):
        return []
    differing = _unequal(mine, its, _MAY_DIFFER | {"source"})
    sources = mine.get("source"), its.get("source")
    if isinstance(sources[0], dict) and isinstance(sources[1], dict):
        differing += _unequal(sources[0], sources[1], _MAY_DIFFER_IN_SOURCE, "source.")
    return differing


def _unequal(
    mine: dict[str, JsonValue], its: dict[str, JsonValue], but: frozenset[str], prefix: str = ""
) -> list[str]:
    keys = sorted((mine.keys() | its.keys()) - but)
    return [
        f"{prefix}{key}: {mine.get(key)!r} and {its.get(key)!r}"
        for key in keys
        if mine.get(key) != its.get(key)
    ]


def _refuse_repeats(datasets: Sequence[Prepared]) -> None:
    owners: dict[str, Path] = {}
    for dataset in datasets:
        for subject in dataset.subjects:
            if subject in owners:
                raise ValueError(
                    f"{subject} is in {owners[subject]} and in {dataset.folder}; a subject is "
                    "prepared as a whole: prepare all its runs into one dataset, or exclude it "
                    "from one of them"
                )
            owners[subject] = dataset.folder


def _files_of_all(datasets: Sequence[Prepared]) -> dict[str, tuple[Path, FileState]]:
    """Source of each file of the new dataset: the first part that has it."""
    files: dict[str, tuple[Path, FileState]] = {}
    images = [image_in(each.folder) for each in datasets]
    if len({path and path.name for path in images}) > 1:
        raise ValueError(
            f"some of the datasets have a {' or '.join(TARGETS_IMAGES)} and some have none or "
            "another; prepare them with the same labels"
        )
    for dataset in datasets:
        listed = dataset.info.files
        for path, state in listed.items():
            source = dataset.folder / path
            known = files.setdefault(path, (source, state))
            if known[1] != state:
                what = "the image of the targets" if path in TARGETS_IMAGES else Path(path).stem
                raise ValueError(
                    f"{what} is not the same in {known[0]} and {source}: the datasets were made "
                    "from different files, or by different versions; prepare one of them again"
                )
    return files


def _copy(source: Path, target: Path, state: FileState) -> None:
    if target.is_file() and target.stat().st_size == state.n_bytes and state_of(target) == state:
        return
    with writing(target) as temporary:
        shutil.copyfile(source, temporary)
    if state_of(target) != state:
        target.unlink()
        raise ValueError(f"{source} is damaged: it does not match dataset.json; {AGAIN}")


def _recipes(datasets: Sequence[Prepared]) -> list[JsonValue]:
    """The recipe of each dataset, or those that it was merged from."""
    recipes: list[JsonValue] = []
    for dataset in datasets:
        merged = dataset.info.recipe.get("merged")
        recipes += merged if isinstance(merged, list) else [dataset.info.recipe]
    return recipes


def _sources(datasets: Sequence[Prepared]) -> tuple[SourceFile, ...]:
    """The source files of all, without duplicates."""
    found = {(each.path, each.checksum): each for data in datasets for each in data.info.sources}
    return tuple(found[key] for key in sorted(found))


def _versions(datasets: Sequence[Prepared]) -> dict[str, str]:
    """The version of each package, or all versions used for the parts."""
    versions: dict[str, dict[str, None]] = {}
    for dataset in datasets:
        for package, version in dataset.info.versions.items():
            versions.setdefault(package, {})[version] = None
    for package, known in versions.items():
        if len(known) > 1:
            logger.warning("the parts were prepared with %s of %s", " and ".join(known), package)
    return {package: " and ".join(known) for package, known in versions.items()}
