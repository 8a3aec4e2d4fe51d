"""How a prepared dataset gets onto the disk, so that an end at any moment costs one run at most.

While a preparation lasts, ``dataset.json`` is absent and ``.preparing.json`` tells whose folder it
is. Each finished run of a subject is a part, ``bold/.parts/SUBJECT/RUN.npy`` with a ``.json``
beside it; when all are there they become ``bold/SUBJECT.h5`` and go. A run counts as done, in a
part or in the h5, if its fingerprint is the one that it would get now.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import write_atomically
from training.prepared import (
    INFO_FILE,
    RUN_ATTRIBUTES,
    TARGETS_IMAGE,
    DatasetInfo,
    Prepared,
    Run,
    bold_file,
)
from training.writing import sweep, writing

MARKER = ".preparing.json"
SUMMARY_FILE = "summary.html"


class UnfinishedDataset(Prepared):
    """A dataset that can be read although its ``dataset.json`` is not written yet."""

    def __init__(self, folder: Path, info: DatasetInfo, runs: list[Run]) -> None:
        self.folder = folder
        self.info = info
        self.runs = runs


@dataclass(frozen=True)
class DoneRun:
    """A run that is on the disk, with what was noticed when it was prepared."""

    run: Run
    fingerprint: str
    findings: tuple[str, ...]


def claim_folder(out: Path, name: str) -> None:
    """Make `out` the folder of an unfinished dataset called `name`.

    Raises
    ------
    ValueError
        If it is a file, or holds another dataset or other things.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder for the dataset")
    if out.is_dir() and any(out.iterdir()):
        holder = _name_in(out / INFO_FILE) or _name_in(out / MARKER)
        if holder is None:
            raise ValueError(
                f"{out} is not empty and holds no prepared dataset; give a folder of its own"
            )
        if holder != name:
            raise ValueError(
                f"{out} holds the dataset {holder!r}, not {name!r}; give another folder, or "
                "remove it"
            )
    with writing(out / MARKER) as temporary:
        temporary.write_text(json.dumps({"name": name}))
    (out / INFO_FILE).unlink(missing_ok=True)
    for folder in (out, out / "audio", out / "bold", *out.glob("bold/.parts/*")):
        sweep(folder)


def finish_folder(out: Path, info: DatasetInfo) -> None:
    """Write ``dataset.json``, which makes the dataset a whole one."""
    with writing(out / INFO_FILE) as temporary:
        temporary.write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(out / "bold" / ".parts", ignore_errors=True)
    (out / MARKER).unlink()


def remove_others(out: Path, subjects: Iterable[str], stimuli: Iterable[str]) -> None:
    """Remove what an earlier recipe of the same dataset had and this one has not."""
    sounds = set(stimuli)
    for path in (*out.glob("audio/*.npy"), *out.glob("audio/*.json")):
        if path.stem not in sounds:
            path.unlink()
    tables = {bold_file(out, subject) for subject in subjects}
    for path in out.glob("bold/*.h5"):
        if path not in tables:
            path.unlink()


def write_targets_image(out: Path, image: Any) -> None:
    """Write ``targets.nii.gz``, the same bytes for the same image; remove it without one."""
    path = out / TARGETS_IMAGE
    if image is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, gzip.compress(image.to_bytes(), mtime=0))


class SubjectWriter:
    """The runs of one subject: those that are done, and the way to add others.

    Parameters
    ----------
    out : Path
        The dataset's folder.
    subject : str
        Who.
    """

    def __init__(self, out: Path, subject: str) -> None:
        self.path = bold_file(out, subject)
        self.parts = out / "bold" / ".parts" / subject
        self.subject = subject
        self._written = _read_h5(self.path, subject)

    def done(self, run: str, fingerprint: str) -> DoneRun | None:
        """What is on the disk of a run, if it has this fingerprint."""
        for known in (self._written.get(run), self._read_part(run)):
            if known is not None and known.fingerprint == fingerprint:
                return known
        return None

    def add(self, done: DoneRun, table: NDArray[np.float32]) -> None:
        """Write a part: the numbers first, so that what has a note is whole."""
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

    def finish(self, runs: Sequence[DoneRun]) -> None:
        """Make the h5 file of `runs`, which are all done, one after the other."""
        if list(self._written.values()) != list(runs):
            self.write((each, self._table_of(each)) for each in runs)
        shutil.rmtree(self.parts, ignore_errors=True)

    def write(self, runs: Iterable[tuple[DoneRun, Callable[[], NDArray[np.float32]]]]) -> None:
        """Write the h5 file anew from runs and what loads each."""
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
            except RuntimeError as error:  # h5py's word for a disk that is full
                raise OSError(str(error)) from error

    def _table_of(self, done: DoneRun) -> Callable[[], NDArray[np.float32]]:
        def load() -> NDArray[np.float32]:
            import h5py

            if self._written.get(done.run.name) != done:
                table: NDArray[np.float32] = np.load(self._part(done.run.name, ".npy"))
                return table
            with h5py.File(self.path, "r") as file:
                return np.asarray(file[done.run.name][()], dtype=np.float32)

        return load

    def _part(self, run: str, suffix: str) -> Path:
        return self.parts / f"{run}{suffix}"

    def _read_part(self, run: str) -> DoneRun | None:
        try:
            note = json.loads(self._part(run, ".json").read_text())
            known = DoneRun(Run(**note["run"]), note["fingerprint"], tuple(note["findings"]))
            table = np.load(self._part(run, ".npy"), mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None
        return known if len(table) == known.run.n_trs else None


def _new_h5(path: Path) -> Any:
    """An empty file that keeps the order of its runs and no time of its making."""
    from h5py import h5f, h5p

    properties = h5p.create(h5p.FILE_CREATE)
    properties.set_link_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    properties.set_obj_track_times(False)
    return h5f.create(os.fsencode(path), h5f.ACC_TRUNC, fcpl=properties)


def _read_h5(path: Path, subject: str) -> dict[str, DoneRun]:
    """Runs of a subject by name, in the order in which they were written; none if damaged."""
    import h5py

    known = {}
    try:
        with h5py.File(path, "r", track_order=True) as file:
            for name, table in file.items():
                attributes = {key: table.attrs[key] for key in RUN_ATTRIBUTES}
                for key in ("start", "tr"):
                    attributes[key] = float(attributes[key])
                run = Run(subject, name, n_trs=table.shape[0], **attributes)
                findings = tuple(json.loads(table.attrs["findings"]))
                known[name] = DoneRun(run, table.attrs["fingerprint"], findings)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError):
        return {}
    return known


def _name_in(path: Path) -> str | None:
    """Whose folder it is, if the file is one of ours."""
    try:
        document = json.loads(path.read_text())
        if path.name == INFO_FILE and "target_ids" not in document:
            return None
        return str(document["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
