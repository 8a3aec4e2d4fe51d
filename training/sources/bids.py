"""Finding the runs in an fMRIPrep folder by the entities in their file names (BIDS)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

BOLD_ENDING = "_desc-preproc_bold.nii.gz"
CONFOUNDS_ENDINGS = ("_desc-confounds_timeseries.tsv", "_desc-confounds_regressors.tsv")
OF_THE_GRID = ("space", "cohort", "res", "den", "desc")  # entities that do not tell runs apart


@dataclass(frozen=True)
class BoldFile:
    """A preprocessed run and the files that belong to it.

    Attributes
    ----------
    entities : mapping
        Those that name the run, in the order of the file name: sub, ses, task, run, ...
    bold, mask : Path
        The 4-D image and the brain mask on its grid.
    confounds : Path or None
        Table of confounds.
    sidecar : Path or None
        JSON beside the image.
    """

    entities: Mapping[str, str]
    bold: Path
    mask: Path
    confounds: Path | None
    sidecar: Path | None

    @property
    def subject(self) -> str:
        return f"sub-{self.entities['sub']}"

    @property
    def session(self) -> str:
        return self.entities.get("ses", "")

    @property
    def name(self) -> str:
        """All but the subject, as in ``ses-003_task-s01e02a_run-1``."""
        return "_".join(f"{key}-{value}" for key, value in self.entities.items() if key != "sub")


def parse_entities(name: str) -> dict[str, str]:
    """Entities in a BIDS file name, in their order.

    Examples
    --------
    >>> parse_entities("sub-01_ses-003_task-s01e02a_desc-preproc_bold.nii.gz")
    {'sub': '01', 'ses': '003', 'task': 's01e02a', 'desc': 'preproc'}
    """
    pairs = (part.partition("-") for part in name.partition(".")[0].split("_"))
    return {key: value for key, dash, value in pairs if dash}


def find_bold_files(
    folder: Path, task: str, space: str, res: str | None = None, subjects: Iterable[str] = ()
) -> tuple[list[BoldFile], list[str]]:
    """Look for preprocessed runs.

    Parameters
    ----------
    folder : Path
        fMRIPrep's output, with ``sub-*/[ses-*/]func``.
    task : str
        Task label; ``*`` and ``?`` stand for any text and any character.
    space, res : str
        Entities of the images; `res` None where there is only one.
    subjects : iterable of str
        ``"01"`` or ``"sub-01"``; all where empty.

    Returns
    -------
    files : list of BoldFile
        By subject, session and name.
    findings : list of str
        Runs that are left out: not in this space, or links without content.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is no run, a subject has none, two images are of one run, or a run has no mask.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder of fMRIPrep derivatives: {folder}")
    images: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    paths = [*folder.glob("sub-*/func/*"), *folder.glob("sub-*/ses-*/func/*")]
    for path in sorted(path for path in paths if path.name.endswith(BOLD_ENDING)):
        entities = parse_entities(path.name)
        if "sub" in entities and fnmatchcase(entities.get("task", ""), task):
            run = tuple((k, v) for k, v in entities.items() if k not in OF_THE_GRID)
            images.setdefault(run, []).append(path)
    if not images:
        raise ValueError(
            f"{folder} has no sub-*/[ses-*/]func/*_task-{task}_*{BOLD_ENDING}; give the folder "
            "that fMRIPrep wrote, and the task label"
        )
    wanted = _wanted({dict(run)["sub"] for run in images}, subjects, folder)
    found, findings = [], []
    for run, candidates in sorted(images.items()):
        entities = dict(run)
        if entities["sub"] not in wanted:
            continue
        fitting = [path for path in candidates if _on_grid(path, space, res)]
        name = " ".join(f"{key}-{value}" for key, value in run)
        if not fitting:
            others = ", ".join(path.name for path in candidates)
            findings.append(f"{name}: left out, not in {_grid(space, res)} (there is {others})")
        elif len(fitting) > 1:
            raise ValueError(
                f"{len(fitting)} images of one run: {fitting[0]} and {fitting[1]}; say which with "
                "res: (the res- entity of the file name)"
            )
        elif not fitting[0].exists():
            findings.append(f"{name}: left out, {fitting[0]} is a link without content; fetch it")
        else:
            found.append(_with_companions(fitting[0], entities))
    for subject in sorted(wanted - {file.entities["sub"] for file in found}):
        reasons = [text for text in findings if text.startswith(f"sub-{subject} ")]
        raise ValueError(f"sub-{subject} has no run to take; {reasons[0]}")
    return found, findings


def _wanted(available: set[str], subjects: Iterable[str], folder: Path) -> set[str]:
    wanted = {subject.removeprefix("sub-") for subject in subjects}
    if missing := sorted(wanted - available):
        raise ValueError(
            f"no run of sub-{', sub-'.join(missing)} in {folder}; it has "
            f"sub-{', sub-'.join(sorted(available))}"
        )
    return wanted or available


def _on_grid(path: Path, space: str, res: str | None) -> bool:
    entities = parse_entities(path.name)
    return entities.get("space") == space and (res is None or entities.get("res") == res)


def _grid(space: str, res: str | None) -> str:
    return f"space-{space}" + (f"_res-{res}" if res is not None else "")


def _with_companions(bold: Path, entities: dict[str, str]) -> BoldFile:
    stem = bold.name.removesuffix(BOLD_ENDING)
    mask = bold.with_name(f"{stem}_desc-brain_mask.nii.gz")
    if not mask.exists():
        raise ValueError(f"{bold} has no brain mask {mask.name} beside it; fetch or write it")
    run = "_".join(f"{key}-{value}" for key, value in entities.items())
    tables = [bold.with_name(run + ending) for ending in CONFOUNDS_ENDINGS]
    sidecar = bold.with_name(f"{stem}_desc-preproc_bold.json")
    return BoldFile(
        entities,
        bold,
        mask,
        confounds=next((path for path in tables if path.exists()), None),
        sidecar=sidecar if sidecar.exists() else None,
    )
