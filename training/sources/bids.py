"""Search for runs in a folder of fMRI derivatives by BIDS entities."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from hear_brainsoundnet.sound_files import shown
from training.sources.entities import EntityFilter, as_yaml, joined, parse_entities, suffix_of
from training.sources.surface_files import CIFTI_SERIES, GIFTI_SERIES

Format = Literal["nifti", "cifti", "gifti"]
EXTENSIONS: dict[Format, tuple[str, ...]] = {
    "nifti": (".nii.gz", ".nii"),
    "cifti": (CIFTI_SERIES,),
    "gifti": (GIFTI_SERIES,),
}
# Suffixes of confounds tables after the entities of the run, the newest first: fMRIPrep from 20.2,
# from 1.2 and before.
CONFOUNDS_ENDINGS = (
    "_desc-confounds_timeseries.tsv",
    "_desc-confounds_regressors.tsv",
    "_bold_confounds.tsv",
)
# Entities that do not distinguish runs.
OF_THE_GRID = ("space", "cohort", "res", "den", "desc", "hemi")
# One recording can be stored as several images: by echo, and as magnitude and phase. Their mask and
# table may or may not have these entities.
OF_THE_SIGNAL = ("echo", "part")
FUNCTIONAL_FOLDERS = ("sub-*/func", "sub-*/ses-*/func")


@dataclass(frozen=True)
class BoldFile:
    """A preprocessed run and its files.

    Attributes
    ----------
    entities : mapping
        Those of the run, in the order of the file name: sub, ses, task, run, ...
    bold : Path
        The 4-D image, or the responses on the surface (of the left hemisphere, if GIFTI).
    mask : Path or None
        Brain mask on the grid of the image; None on the surface.
    confounds : Path or None
        Table of confounds.
    sidecar : Path or None
        JSON beside the image.
    right : Path or None
        The right hemisphere, if GIFTI.
    named : str
        Name of the run, if not made of its entities.
    """

    entities: Mapping[str, str]
    bold: Path
    mask: Path | None
    confounds: Path | None
    sidecar: Path | None
    right: Path | None = None
    named: str = ""

    @property
    def subject(self) -> str:
        return f"sub-{self.entities['sub']}"

    @property
    def session(self) -> str:
        return self.entities.get("ses", "")

    @property
    def space(self) -> str:
        """The space entity of the image; empty for that of the scanner."""
        return parse_entities(self.bold.name).get("space", "")

    @property
    def name(self) -> str:
        """All entities except the subject, as in ``ses-003_task-s01e02a_run-1``."""
        return self.named or joined({k: v for k, v in self.entities.items() if k != "sub"})


def find_bold_files(
    folder: Path,
    task: str,
    chosen: EntityFilter,
    subjects: Iterable[str] = (),
    kind: Format = "nifti",
) -> tuple[list[BoldFile], list[str]]:
    """Search for preprocessed runs.

    Parameters
    ----------
    folder : Path
        fMRIPrep's output, with ``sub-*/[ses-*/]func``.
    task : str
        Task label; ``*`` and ``?`` are wildcards.
    chosen : EntityFilter
        Filter for the image of a run.
    subjects : iterable of str
        ``"01"`` or ``"sub-01"``; all if empty.
    kind : str
        {"nifti", "cifti", "gifti"}: format of the images.

    Returns
    -------
    files : list of BoldFile
        By subject, session and name.
    findings : list of str
        Runs that are left out: without a matching image, or links without content.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is no run, a subject has none, a run has two images, no mask or one hemisphere.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder of fMRIPrep derivatives: {folder}")
    images: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path in _bold_images(folder, kind):
        entities = parse_entities(path.name)
        if "sub" in entities and fnmatchcase(entities.get("task", ""), task):
            recorded = {k: v for k, v in entities.items() if k not in OF_THE_GRID + OF_THE_SIGNAL}
            images.setdefault(tuple(recorded.items()), []).append(path)
    if not images:
        raise ValueError(_nothing_found(folder, task, kind))
    wanted = _wanted({dict(run)["sub"] for run in images}, subjects, folder)
    found: list[BoldFile] = []
    left_out: dict[str, list[str]] = {}  # reason: runs
    why: dict[str, str] = {}  # subject: the first reason
    for run, candidates in sorted(images.items()):
        subject = dict(run)["sub"]
        if subject not in wanted:
            continue
        fitting = [path for path in candidates if chosen.fits(parse_entities(path.name))]
        if kind == "gifti":
            fitting = _left_of_pairs(fitting)
        if len(fitting) > 1:
            raise ValueError(_ambiguous(fitting))
        if fitting and fitting[0].exists():
            found.append(with_companions(fitting[0], kind))
            continue
        reason, example = (
            (f"{fitting[0].parent} has its image as a link without content; fetch it", "")
            if fitting
            else (f"no image with {chosen}", _others(candidates, chosen))
        )
        name = joined(dict(run))
        left_out.setdefault(reason, []).append(name)
        why.setdefault(subject, f"{name}: {reason}{example}")
    for subject in sorted(wanted - {file.entities["sub"] for file in found}):
        raise ValueError(f"sub-{subject} has no run to take; {why[subject]}")
    return found, [f"left out, {why}: {', '.join(names)}" for why, names in left_out.items()]


def _bold_images(folder: Path, kind: Format) -> Iterator[Path]:
    """Images of BOLD signals, including links without content; no hidden files."""
    paths = [path for pattern in FUNCTIONAL_FOLDERS for path in folder.glob(f"{pattern}/*")]
    for path in sorted(paths):
        suffix, extension = suffix_of(path.name)
        hidden = path.name.startswith(".")  # ._sub-01...: left by macOS on other file systems
        if suffix == "bold" and extension in EXTENSIONS[kind] and not hidden:
            yield path


def _left_of_pairs(paths: list[Path]) -> list[Path]:
    """Files of the left hemisphere, each with one of the right beside it."""
    for path in paths:
        other = other_hemisphere(path)
        if not os.path.lexists(other) or other == path:
            raise ValueError(f"{path} has no other hemisphere {other.name} beside it; fetch it")
    return [path for path in paths if parse_entities(path.name)["hemi"] == "L"]


def other_hemisphere(path: Path) -> Path:
    """Path of the other hemisphere's file; the same if the name has no ``hemi-``."""
    other = {"hemi-L": "hemi-R", "hemi-R": "hemi-L"}
    return path.with_name(re.sub("hemi-[LR]", lambda match: other[match[0]], path.name))


def _nothing_found(folder: Path, task: str, kind: Format) -> str:
    text = f"{folder} has no sub-*/[ses-*/]func/*_task-{task}_*_bold{EXTENSIONS[kind][0]}"
    if images := list(_bold_images(folder, kind)):
        tasks = sorted({parse_entities(path.name).get("task", "") for path in images})
        return f"{text}; it has the tasks {shown(tasks)}: give one as task:"
    for other in EXTENSIONS:
        if first := next(_bold_images(folder, other), None):
            return f"{text}, only others as {first.name}; for these set format: {other}"
    deeper = sorted({path.parent for path in folder.glob("*/sub-*")})
    deeper += sorted({path.parent for path in folder.glob("derivatives/*/sub-*")})
    if deeper:
        return f"{text}; the subjects are in {shown([str(path) for path in deeper])}: give that"
    return f"{text}; give the folder that fMRIPrep wrote, and the task label"


def _wanted(available: set[str], subjects: Iterable[str], folder: Path) -> set[str]:
    wanted = {subject.removeprefix("sub-") for subject in subjects}
    if missing := sorted(wanted - available):
        raise ValueError(
            f"no run of sub-{', sub-'.join(missing)} in {folder}; it has "
            f"sub-{', sub-'.join(sorted(available))}"
        )
    return wanted or available


def _ambiguous(images: list[Path]) -> str:
    names = [parse_entities(path.name) for path in images]
    differing = [
        key
        for key in dict.fromkeys(key for entities in names for key in entities)
        if len({entities.get(key) for entities in names}) > 1
    ]
    text = f"{len(images)} images of one run: {images[0]} and {images[1]}"
    if not differing:
        return f"{text}; keep one of them in this folder"
    chosen = as_yaml({key: names[0].get(key) for key in differing})
    short = "res: or " if differing == ["res"] else ""
    return f"{text}; say which with {short}entities:, like entities: {chosen}"


def _others(candidates: list[Path], chosen: EntityFilter) -> str:
    """The available alternatives, and the filter that would select them."""
    differences = chosen.differences(parse_entities(candidates[0].name))
    names = shown([path.name for path in candidates])
    return f" (there is {names}; for the first of them set entities: {as_yaml(differences)})"


def with_companions(bold: Path, kind: Format) -> BoldFile:
    """An image with its files beside it; ValueError if a volume has no brain mask."""
    entities = parse_entities(bold.name)
    run = {key: value for key, value in entities.items() if key not in OF_THE_GRID}
    mask = next(filter(Path.exists, _masks(bold, entities)), None) if kind == "nifti" else None
    if kind == "nifti" and mask is None:
        first = next(_masks(bold, entities))
        raise ValueError(f"{bold} has no brain mask {first.name} beside it; fetch or write it")
    tables = (
        bold.with_name(joined(kept) + ending)
        for kept in _without_signal(run)
        for ending in CONFOUNDS_ENDINGS
    )
    sidecar = bold.with_name(bold.name.removesuffix(suffix_of(bold.name)[1]) + ".json")
    return BoldFile(
        run,
        bold,
        mask,
        confounds=next(filter(Path.exists, tables), None),
        sidecar=sidecar if sidecar.exists() else None,
        right=other_hemisphere(bold) if kind == "gifti" else None,
    )


def _masks(bold: Path, entities: Mapping[str, str]) -> Iterator[Path]:
    """Candidate paths of an image's brain mask, the most likely first."""
    own = suffix_of(bold.name)[1]
    for kept in _without_signal({k: v for k, v in entities.items() if k != "desc"}):
        for extension in (own, *(each for each in EXTENSIONS["nifti"] if each != own)):
            yield bold.with_name(f"{joined(kept)}_desc-brain_mask{extension}")


def _without_signal(entities: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The entities, and variants without echo, part, or both."""
    for dropped in ((), ("part",), ("echo",), OF_THE_SIGNAL):
        yield {key: value for key, value in entities.items() if key not in dropped}
