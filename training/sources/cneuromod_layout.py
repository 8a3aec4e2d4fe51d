"""How CNeuroMod's files of time courses and its films are called.

Names of datasets in the h5 files, with slashes between groups, that are understood:

    ses-003_task-s01e02a                                Algonauts 2025 (also with _run-1)
    ses-003/ses-003_task-s01e02a_timeseries             cneuromod_extract_tseries, *.timeseries
    ses-003/task-s01e02a, task-life01/run-1             one group per entity
    sub-01/ses-003/task-s01e02a, sub-01_task-s01e02a    all subjects in one file
    task-s01e02a/bold, task-s01e02a/timeseries          a group per run
    s01e02a, friends_s01e02a, friends/s01e02a, bourne01 the film alone

What a key does not say comes from the file's name and its folders: the subject (``sub-01``), the
session, and which of CNeuroMod's datasets it is of, as ``task-friends`` or, as the extractor writes
it, ``sub-01_friends_MNI152NLin2009cAsym_BOLDtimeseries_...h5``. A file that has one run and no name
for it is called by its own task.

Films: ``friends_s01e02a``, ``bourne01``, ``task-chaplin1_video`` (out-of-distribution films),
``bourne_seg01`` for ``task-bourne_run-01`` (first release), ``task-lppEN_section-1`` for
``task-lppEN_run-1`` (Le Petit Prince).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.sources.entities import parse_entities

DATASETS = ("friends", "movie10", "ood", "harrypotter", "petitprince", "narratives")
# Words at the end of a key that say no more than that this is the table.
TABLE_WORDS = ("timeseries", "bold", "boldtimeseries", "data", "fmri", "parcels", "voxels")
EPISODE_WORD = re.compile(r"s\d+e\d+[a-z]?")
SEASON_WORD = re.compile(r"(s|season)-?\d+")
FILM_WORD = re.compile(r"[A-Za-z]+\d+[a-z]?")
VALUE = re.compile(r"[A-Za-z0-9+]+")
OF_A_RUN = ("ses", "task", "run")


@dataclass(frozen=True)
class RunKey:
    """What a dataset of a file is a run of.

    Attributes
    ----------
    entities : mapping
        Of file and key together: sub, ses, task, run and others; ``task`` is the film or episode.
    dataset : str
        Which of CNeuroMod's datasets; empty where nothing says it.
    """

    entities: Mapping[str, str]
    dataset: str

    @property
    def subject(self) -> str:
        return f"sub-{self.entities['sub']}"

    @property
    def name(self) -> str:
        """Of the run: ``ses-003_task-s01e02a``."""
        return "_".join(f"{key}-{self.entities[key]}" for key in OF_A_RUN if key in self.entities)

    def films(self) -> Iterator[str]:
        """Names that its film may have, the most likely first."""
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
    """The run that a dataset of a file below `root` is, or None where its name says none."""
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
        label = of_file["task"]  # a file of its own for each run
    entities = {k: v for k, v in of_file.items() if v and k != "task"} | found | {"task": label}
    if not label or "sub" not in entities:
        return None
    if not all(VALUE.fullmatch(entities[k]) for k in ("sub", *OF_A_RUN) if k in entities):
        return None
    return RunKey(entities, dataset)


def names_of(path: Path, root: Path) -> tuple[str, str]:
    """Subject and dataset that the name and the folders of a file say; empty where they do not."""
    inside = path.relative_to(root)
    subject = parse_entities(path.name).get("sub", "") or _subject_of(inside)
    return subject, _dataset_of(inside, [])


def _is_label(word: str) -> bool:
    return bool(EPISODE_WORD.fullmatch(word) or FILM_WORD.fullmatch(word)) and not bool(
        SEASON_WORD.fullmatch(word)
    )


def _parts(key: str) -> tuple[dict[str, str], list[str]]:
    """Entities of a key, and the words between them, without those at the end of every key."""
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
    """From the folders of a file, the nearest first."""
    for part in reversed(inside.parts[:-1]):
        if part.startswith("sub-"):
            return part.removeprefix("sub-").partition("_")[0]
    return ""


def _dataset_of(inside: Path, words: list[str]) -> str:
    """By the task of the file's name, a word of it, a word of the key, or a folder."""
    task = parse_entities(inside.name).get("task", "")
    candidates = [task, *inside.name.partition(".")[0].split("_"), *words]
    candidates += [part.partition(".")[0] for part in reversed(inside.parts[:-1])]
    return next((each for each in candidates if each in DATASETS), "")
