"""File and key names of CNeuroMod's time courses, and names of its films.

Supported names of datasets in the h5 files, with slashes between groups:

    ses-003_task-s01e02a                                Algonauts 2025 (also with _run-1)
    ses-003/ses-003_task-s01e02a_timeseries             cneuromod_extract_tseries, *.timeseries
    ses-003/task-s01e02a, task-life01/run-1             one group per entity
    sub-01/ses-003/task-s01e02a, sub-01_task-s01e02a    all subjects in one file
    task-s01e02a/bold, task-s01e02a/timeseries          a group per run
    s01e02a, friends_s01e02a, friends/s01e02a, bourne01 only the film

Information missing in a key is taken from the file's name and its folders: the subject
(``sub-01``), the session, and the CNeuroMod dataset, as ``task-friends`` or, from the extractor,
``sub-01_friends_MNI152NLin2009cAsym_BOLDtimeseries_...h5``. A run without a name in a file of one
run is named by the file's task.

Films: ``friends_s01e02a``, ``bourne01``, ``task-chaplin1_video`` (out-of-distribution films),
``bourne_seg01`` for ``task-bourne_run-01`` (first release), ``task-lppEN_section-1`` for
``task-lppEN_run-1`` (Le Petit Prince).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.sources.entities import joined, parse_entities

DATASETS = ("friends", "movie10", "ood", "harrypotter", "petitprince", "narratives")
# Words at the end of a key that carry no information.
TABLE_WORDS = ("timeseries", "bold", "boldtimeseries", "data", "fmri", "parcels", "voxels")
EPISODE_WORD = re.compile(r"s\d+e\d+[a-z]?")
SEASON_WORD = re.compile(r"(s|season)-?\d+")
FILM_WORD = re.compile(r"[A-Za-z]+\d+[a-z]?")
VALUE = re.compile(r"[A-Za-z0-9+]+")
OF_A_RUN = ("ses", "task", "run")


@dataclass(frozen=True)
class RunKey:
    """The run of a dataset in a file.

    Attributes
    ----------
    entities : mapping
        Entities of file and key combined: sub, ses, task, run and others; ``task`` is the film or
        episode.
    dataset : str
        CNeuroMod dataset; empty if unknown.
    """

    entities: Mapping[str, str]
    dataset: str

    @property
    def subject(self) -> str:
        return f"sub-{self.entities['sub']}"

    @property
    def name(self) -> str:
        """Name of the run: ``ses-003_task-s01e02a``."""
        return joined({key: self.entities[key] for key in OF_A_RUN if key in self.entities})

    def films(self) -> Iterator[str]:
        """Candidate names of its film, the most likely first."""
        label, run = self.entities["task"], self.entities.get("run", "")
        yield f"{self.dataset}_{label}"
        yield label
        if EPISODE_WORD.fullmatch(label):
            yield f"friends_{label}"
        yield f"task-{label}_video"
        if run.isdecimal():
            for number in dict.fromkeys((run, f"{int(run):02d}", str(int(run)))):
                yield f"{label}{number}"
                yield f"{label}_seg{number}"
                yield f"task-{label}_section-{number}"
                yield f"task-{label}_section_{number}"
        if match := re.fullmatch(r"([A-Za-z]+)(\d+)", label):
            yield f"{match[1]}_seg{match[2]}"


def run_of(path: Path, key: str, root: Path) -> RunKey | None:
    """The run of a dataset in a file below `root`, or None if its name is not recognised."""
    found, words = _parts(key)
    inside = path.relative_to(root)
    of_file = {"sub": names_of(path, root)[0]} | parse_entities(path.name)
    dataset = _dataset_of(inside, words)
    last = re.split(r"[/_]", key)[-1]
    last = "" if "-" in last else last
    if last and last.lower() not in TABLE_WORDS and not _is_label(last):
        return None
    label = found.get("task") or next((w for w in reversed(words) if _is_label(w)), "")
    if not label and of_file.get("task", "") not in (*DATASETS, ""):
        label = of_file["task"]  # one file per run
    entities = {k: v for k, v in of_file.items() if v and k != "task"} | found | {"task": label}
    if not label or "sub" not in entities:
        return None
    if not all(VALUE.fullmatch(entities[k]) for k in ("sub", *OF_A_RUN) if k in entities):
        return None
    return RunKey(entities, dataset)


def names_of(path: Path, root: Path) -> tuple[str, str]:
    """Subject and dataset from the name and the folders of a file; empty if missing."""
    inside = path.relative_to(root)
    subject = parse_entities(path.name).get("sub", "") or _subject_of(inside)
    return subject, _dataset_of(inside, [])


def _is_label(word: str) -> bool:
    return bool(EPISODE_WORD.fullmatch(word) or FILM_WORD.fullmatch(word)) and not bool(
        SEASON_WORD.fullmatch(word)
    )


def _parts(key: str) -> tuple[dict[str, str], list[str]]:
    """Entities of a key, and the words between them, without generic ones at the end."""
    entities: dict[str, str] = {}
    words: list[str] = []
    for part in re.split(r"[/_]", key):
        name, dash, value = part.partition("-")
        if dash:
            entities[name] = value
        elif part:
            words.append(part)
    return entities, words


def _subject_of(inside: Path) -> str:
    """Subject from the folders of a file, the nearest first."""
    for part in reversed(inside.parts[:-1]):
        if part.startswith("sub-"):
            return part.removeprefix("sub-").partition("_")[0]
    return ""


def _dataset_of(inside: Path, words: list[str]) -> str:
    """Dataset from the task of the file's name, a word of it, a word of the key, or a folder."""
    task = parse_entities(inside.name).get("task", "")
    candidates = [task, *inside.name.partition(".")[0].split("_"), *words]
    candidates += [part.partition(".")[0] for part in reversed(inside.parts[:-1])]
    return next((each for each in candidates if each in DATASETS), "")
