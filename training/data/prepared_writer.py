"""Crash-safe writing of a prepared dataset: an interruption costs at most one run.

During a preparation, ``dataset.json`` is absent and ``.preparing.json`` records the dataset's name.
Each finished run of a subject is a part, ``bold/.parts/SUBJECT/RUN.npy`` with a ``.json`` beside
it; when all are complete they are moved to ``bold/SUBJECT.h5``. A run counts as done, in a part or
in the h5, if its fingerprint is current.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import sweep, write_atomically, writing
from hear_brainsoundnet.lock import contents
from training.data.dataset_info import INFO_FILE, DatasetInfo, FileState, read_info, write_info
from training.data.prepared import Prepared, Run, bold_file
from training.data.prepared_files import TARGETS_IMAGES, files_of, state_of
from training.data.prepared_tables import RUN_ATTRIBUTES, probe, read_table, read_tables

logger = logging.getLogger(__name__)

MARKER = ".preparing.json"
SUMMARY_FILE = "summary.html"
OURS = frozenset({INFO_FILE, MARKER, SUMMARY_FILE, *TARGETS_IMAGES, "audio", "bold"})


class UnfinishedDataset(Prepared):
    """A dataset that is readable although its ``dataset.json`` is not written yet."""

    def __init__(self, folder: Path, info: DatasetInfo, runs: list[Run]) -> None:
        self.folder = folder
        self.info = info
        self.runs = runs
        self._places = {}

    def _verify(self, path: Path) -> None:
        pass  # checksums are written last


@dataclass(frozen=True)
class DoneRun:
    """A finished run, with the findings of its preparation."""

    run: Run
    fingerprint: str
    findings: tuple[str, ...]


class Claim:
    """The folder of an unfinished dataset, and the checksums of its finished files.

    Parameters
    ----------
    out : Path
        The folder: new, empty, or that of the same dataset.
    name : str
        Name of the dataset.

    Raises
    ------
    ValueError
        If it is a file, or holds another dataset or other files.
    """

    def __init__(self, out: Path, name: str) -> None:
        _refuse_others(out, name)
        self.out = out
        self.name = name
        self.files = _known_files(out)
        self._write()
        (out / INFO_FILE).unlink(missing_ok=True)
        for folder in (out, out / "audio", out / "bold", *out.glob("bold/.parts/*")):
            sweep(folder)

    def is_damaged(self, path: Path) -> bool:
        """Whether a file exists but differs from its checksum, if one is known."""
        known = self.files.get(path.relative_to(self.out).as_posix())
        return known is not None and path.is_file() and state_of(path) != known

    def is_known(self, path: Path) -> bool:
        """Whether a file exists and matches its checksum."""
        known = self.files.get(path.relative_to(self.out).as_posix())
        return known is not None and path.is_file() and state_of(path) == known

    def keep(self, path: Path) -> None:
        """Record the checksum of a file that was just written."""
        self.files[path.relative_to(self.out).as_posix()] = state_of(path)
        self._write()

    def finish(self, info: DatasetInfo) -> None:
        """Write ``dataset.json``, which completes the dataset."""
        whole = info.model_copy(update={"files": files_of(self.out)})
        with writing(self.out / INFO_FILE) as temporary:
            temporary.write_text(write_info(whole), encoding="utf-8")
        shutil.rmtree(self.out / "bold" / ".parts", ignore_errors=True)
        (self.out / MARKER).unlink()

    def _write(self) -> None:
        files = {path: state.model_dump() for path, state in self.files.items()}
        with writing(self.out / MARKER) as temporary:
            temporary.write_text(json.dumps({"name": self.name, "files": files}))


def _refuse_others(out: Path, name: str) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder for the dataset")
    if there := {path.name for path in contents(out)}:
        holder = _name_in(out / INFO_FILE) or _name_in(out / MARKER)
        if holder is None and INFO_FILE in there and there <= OURS:
            logger.warning("%s is damaged; undamaged files are kept", out / INFO_FILE)
            return
        if holder is None:
            raise ValueError(
                f"{out} is not empty and holds no prepared dataset; give a folder of its own"
            )
        if holder != name:
            raise ValueError(
                f"{out} holds the dataset {holder!r}, not {name!r}; give another folder, or "
                "remove it"
            )


def _known_files(out: Path) -> dict[str, FileState]:
    """Checksums from the finished dataset, else from the interrupted preparation."""
    try:
        return dict(read_info(out).files)
    except (OSError, ValueError):
        pass
    try:
        files = json.loads((out / MARKER).read_text())["files"]
        return {str(path): FileState.model_validate(state) for path, state in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def remove_others(out: Path, subjects: Iterable[str], stimuli: Iterable[str]) -> None:
    """Remove files of an earlier recipe of the same dataset that this one does not have."""
    sounds = set(stimuli)
    for path in (*out.glob("audio/*.npy"), *out.glob("audio/*.json")):
        if path.stem not in sounds:
            path.unlink()
    tables = {bold_file(out, subject) for subject in subjects}
    for path in out.glob("bold/*.h5"):
        if path not in tables:
            path.unlink()


def write_targets_image(out: Path, image: Any) -> None:
    """Write the image of the targets, reproducibly; remove it if there is none.

    A volume is ``targets.nii.gz``, a surface ``targets.dscalar.nii``.
    """
    volume, surface = (out / name for name in TARGETS_IMAGES)
    is_volume = image is not None and image.ndim == 3
    for path, is_wanted in ((volume, is_volume), (surface, image is not None and not is_volume)):
        if not is_wanted:
            path.unlink(missing_ok=True)
        else:
            content = image.to_bytes()
            write_atomically(path, gzip.compress(content, mtime=0) if is_volume else content)


@dataclass(frozen=True)
class RunParts:
    """The finished runs of an unfinished subject: a data file and a note for each.

    Attributes
    ----------
    folder : Path
        Folder of the parts.
    """

    folder: Path

    def add(self, done: DoneRun, table: NDArray[np.float32]) -> None:
        """Write a part: the data first, so that a note implies complete data."""
        note = self._part(done.run.name, ".json")
        note.unlink(missing_ok=True)
        with (
            writing(self._part(done.run.name, ".npy")) as temporary,
            temporary.open("wb") as file,
        ):
            np.save(file, table)
        document = {
            "run": vars(done.run),
            "fingerprint": done.fingerprint,
            "findings": done.findings,
        }
        with writing(note) as temporary:
            temporary.write_text(json.dumps(document))

    def load(self, run: str) -> NDArray[np.float32]:
        """The data of a run."""
        table: NDArray[np.float32] = np.load(self._part(run, ".npy"))
        return table

    def _part(self, run: str, suffix: str) -> Path:
        return self.folder / f"{run}{suffix}"

    def read(self, run: str) -> DoneRun | None:
        """Metadata of a run whose part is complete."""
        try:
            note = json.loads(self._part(run, ".json").read_text())
            known = DoneRun(Run(**note["run"]), note["fingerprint"], tuple(note["findings"]))
            table = np.load(self._part(run, ".npy"), mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None
        is_whole = table.dtype == np.float32 and len(table) == known.run.n_trs
        return known if is_whole else None


class SubjectWriter:
    """Writer of the runs of one subject, aware of finished ones.

    Parameters
    ----------
    claim : Claim
        The dataset's folder.
    subject : str
        Name of the subject.
    """

    def __init__(self, claim: Claim, subject: str) -> None:
        self.claim = claim
        self.path = bold_file(claim.out, subject)
        self.parts = RunParts(claim.out / "bold" / ".parts" / subject)
        self.subject = subject
        self._written = self._read_h5()

    def done(self, run: str, fingerprint: str) -> DoneRun | None:
        """The finished run on disk, if it has this fingerprint."""
        for known in (self._written.get(run), self.parts.read(run)):
            if known is not None and known.fingerprint == fingerprint:
                return known
        return None

    def finish(self, runs: Sequence[DoneRun]) -> None:
        """Write the h5 file of `runs`, which are all finished, in order."""
        if list(self._written.values()) != list(runs):
            self.write((each, self._table_of(each)) for each in runs)
        shutil.rmtree(self.parts.folder, ignore_errors=True)

    def write(self, runs: Iterable[tuple[DoneRun, Callable[[], NDArray[np.float32]]]]) -> None:
        """Rewrite the h5 file from runs and their loaders."""
        import h5py

        with writing(self.path) as temporary:
            try:
                with h5py.File(_new_h5(temporary)) as file:
                    for done, load in runs:
                        table = file.create_dataset(done.run.name, data=load())
                        for key in RUN_ATTRIBUTES:
                            table.attrs[key] = getattr(done.run, key)
                        table.attrs["fingerprint"] = done.fingerprint
                        table.attrs["findings"] = json.dumps(done.findings)
            except RuntimeError as error:  # raised by h5py for a full disk
                raise OSError(str(error)) from error
        self.claim.keep(self.path)

    def _table_of(self, done: DoneRun) -> Callable[[], NDArray[np.float32]]:
        def load() -> NDArray[np.float32]:
            if self._written.get(done.run.name) != done:
                return self.parts.load(done.run.name)
            return read_table(self.path, done.run.name)

        return load

    def _read_h5(self) -> dict[str, DoneRun]:
        """Runs by name, in the order written; none if the file is damaged."""
        if not self.path.is_file() or self.claim.is_damaged(self.path):
            return {}
        if not self.claim.is_known(self.path) and probe([self.path]):
            return {}
        known = {}
        try:
            for table in read_tables(self.path):
                run = Run(self.subject, table.name, **table.attributes, n_trs=table.shape[0])
                findings = tuple(json.loads(table.extras["findings"]))
                known[table.name] = DoneRun(run, table.extras["fingerprint"], findings)
        except (KeyError, TypeError, ValueError, RecursionError):
            return {}
        return known


def _new_h5(path: Path) -> Any:
    """An empty file that keeps the order of its runs and has no time stamps."""
    from h5py import h5f, h5p

    properties = h5p.create(h5p.FILE_CREATE)
    properties.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    properties.set_obj_track_times(False)
    return h5f.create(os.fsencode(path), h5f.ACC_TRUNC, fcpl=properties)


def _name_in(path: Path) -> str | None:
    """The dataset's name if the file is one of ours."""
    try:
        document = json.loads(path.read_text())
        if path.name == INFO_FILE and "target_ids" not in document:
            return None
        return str(document["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
