"""A HEAR task on disk, validated before any computation.

::

    tasks/<task>/task_metadata.json
                 labelvocabulary.csv
                 <split>.json                    labels by file name
                 <sample rate>/<split>/*.wav

HEAR's archives unpack to ``hear-2021.0.6/tasks/<task>``; the parent folder of the unpacked archives
is accepted as well as ``tasks`` itself.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

METADATA, VOCABULARY = "task_metadata.json", "labelvocabulary.csv"
PREFERRED_SAMPLE_RATE = 48_000  # of the published HEAR tasks
MAKE_SOME = "make some: python -m benchmarks hear tasks --help"
REQUIRED = (
    "task_name",
    "version",
    "embedding_type",
    "prediction_type",
    "split_mode",
    "sample_duration",
    "splits",
    "evaluation",
)


@dataclass(frozen=True)
class TaskFolder:
    """A task with its metadata.

    Attributes
    ----------
    path : Path
        Its folder; the folder's name is the task's name.
    metadata : dict
        Content of ``task_metadata.json``.
    labels : dict
        By split, the content of ``<split>.json``.
    """

    path: Path
    metadata: dict[str, Any]
    labels: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def evaluation(self) -> list[str]:
        """Names of heareval's scores; the first one is the main score."""
        return list(self.metadata["evaluation"])

    @property
    def sample_rates(self) -> list[int]:
        """Rates in Hz with audio, ascending."""
        return sorted(
            int(path.name) for path in self.path.iterdir() if path.is_dir() and path.name.isdigit()
        )

    @property
    def train_seconds(self) -> float | None:
        """Training audio of a probe, all folds but one; None for clips of several lengths."""
        seconds = self.metadata["sample_duration"]
        if seconds is None:
            return None
        if self.metadata["split_mode"] == "trainvaltest":
            return float(seconds * len(self.labels.get("train", ())))
        n_splits = len(self.labels)
        return float(seconds * sum(map(len, self.labels.values())) * (n_splits - 1) / n_splits)

    def check_audio(self, sample_rate: int) -> None:
        """Check that every labelled file exists at `sample_rate`.

        Raises
        ------
        FileNotFoundError
            If there is no audio at that rate, or a file is missing.
        ValueError
            If the first file of a split has another rate or is not mono.
        """
        if sample_rate not in self.sample_rates:
            found = ", ".join(map(str, self.sample_rates)) or "no rate"
            raise FileNotFoundError(
                f"task {self.name} has audio at {found}, the model expects {sample_rate} Hz; "
                "load the model for that rate (--model-options '{\"sample_rate\": ...}') or "
                "fetch the task at the model's rate"
            )
        for split, labels in self.labels.items():
            folder = self.path / str(sample_rate) / split
            for name in labels:
                if not (folder / name).is_file():
                    raise FileNotFoundError(
                        f"task {self.name}: {folder / name} is missing but {split}.json "
                        "labels it; fetch or make the task again"
                    )
            first = folder / next(iter(labels))
            try:
                header = soundfile.info(first)
            except soundfile.LibsndfileError as error:
                raise ValueError(f"task {self.name}: {first} is not an audio file") from error
            if (header.samplerate, header.channels) != (sample_rate, 1):
                raise ValueError(
                    f"task {self.name}: {first} has {header.channels} channels at "
                    f"{header.samplerate} Hz, expected 1 at {sample_rate} Hz; fetch or make the "
                    "task again"
                )

    def content_hash(self) -> str:
        """SHA-256 of metadata, labels, and the names and sizes of all audio files."""
        digest = hashlib.sha256()
        for path in sorted(self.path.rglob("*")):
            relative = path.relative_to(self.path)
            if path.suffix == ".wav":
                digest.update(f"{relative} {path.stat().st_size}\n".encode())
            elif path.suffix in (".json", ".csv"):
                digest.update(f"{relative}\n".encode() + path.read_bytes())
        return digest.hexdigest()


def read_task(path: Path) -> TaskFolder:
    """Read a task's metadata and labels.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is not in HEAR's format.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"no task folder {path}; name one that exists")
    metadata = _read_object(path / METADATA)
    for key in REQUIRED:
        if key not in metadata:
            raise ValueError(f"{path / METADATA} has no {key!r}; fetch or make the task again")
    if not metadata["splits"] or not metadata["evaluation"]:
        raise ValueError(
            f"{path / METADATA} names no splits or no evaluation, expected at least one of each; "
            "fetch or make the task again"
        )
    if not (path / VOCABULARY).is_file():
        raise FileNotFoundError(f"no {path / VOCABULARY}; fetch or make the task again")
    with (path / VOCABULARY).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or [])
        vocabulary = {row["label"] for row in reader} if "label" in header else set()
    if not {"idx", "label"} <= set(header):
        raise ValueError(
            f"{path / VOCABULARY} has the columns {header}, expected idx and label; "
            "fetch or make the task again"
        )
    labels = {split: _read_object(path / f"{split}.json") for split in metadata["splits"]}
    for split, by_name in labels.items():
        if not by_name:
            raise ValueError(f"{path / f'{split}.json'} labels no sounds; fetch the task again")
        _check_labels(path / f"{split}.json", by_name, vocabulary)
    return TaskFolder(path, metadata, labels)


def find_tasks(tasks_folder: Path, names: Iterable[str] = ()) -> list[TaskFolder]:
    """Read the tasks in a folder, in the order of their names.

    Parameters
    ----------
    tasks_folder : Path
        Folder of task folders, or the parent folder of HEAR's unpacked archives.
    names : iterable of str
        Names of tasks; all by default.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, it has no tasks, or a given task is missing.
    """
    if not tasks_folder.is_dir():
        raise FileNotFoundError(f"no folder of tasks {tasks_folder}; {MAKE_SOME}")
    found = {
        path.name: path
        for root in _roots(tasks_folder)
        for path in sorted(root.iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }
    wanted = sorted(set(names) or found)
    for name in wanted:
        if name not in found:
            raise FileNotFoundError(
                f"no task {name!r} in {tasks_folder}; there are: {', '.join(found) or 'none'}"
            )
    if not wanted:
        archives = sorted(path.name for path in tasks_folder.glob("*.tar.gz"))
        hint = f"unpack the archives: tar xzf {archives[0]}" if archives else MAKE_SOME
        raise FileNotFoundError(f"no task in {tasks_folder}; {hint}")
    return [read_task(found[name]) for name in wanted]


def common_sample_rate(tasks: Sequence[TaskFolder]) -> int:
    """The common rate of all tasks: 48 kHz if possible, else the highest.

    Raises
    ------
    ValueError
        If there is none.
    """
    common = set.intersection(*(set(task.sample_rates) for task in tasks))
    if not common:
        rates = "; ".join(f"{task.name}: {task.sample_rates}" for task in tasks)
        raise ValueError(
            f"the tasks have no sample rate in common ({rates}); run them one by one with --task"
        )
    return PREFERRED_SAMPLE_RATE if PREFERRED_SAMPLE_RATE in common else max(common)


def _roots(folder: Path) -> list[Path]:
    """Parents of the task folders: folders ``tasks`` below if there are any, else this one."""
    below = [folder / "tasks", *sorted(folder.glob("hear-*/tasks"))]
    return [path for path in below if path.is_dir()] or [folder]


def _check_labels(path: Path, labels: dict[str, Any], vocabulary: set[str]) -> None:
    for name, own in labels.items():
        if not isinstance(own, list):
            raise ValueError(f"{path}: expected a list of labels for {name}, got {own!r:.60}")
        for label in own:
            text = str(label["label"] if isinstance(label, dict) else label)
            if text not in vocabulary:
                raise ValueError(
                    f"{path}: {name} has the label {text!r}, which is not in {VOCABULARY}; fetch "
                    "or make the task again"
                )


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; fetch or make the task again")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable JSON; fetch or make the task again") from error
    if not isinstance(document, dict):
        raise ValueError(
            f"{path} holds a {type(document).__name__}, expected an object; "
            "fetch or make the task again"
        )
    return document
