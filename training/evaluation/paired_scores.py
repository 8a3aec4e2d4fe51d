"""Scores of two models on the same runs, paired for a comparison.

What is compared is ``EVAL`` or ``EVAL:MODEL``, where MODEL may be a pattern that matches
several models: those of a cross-validation, paired in order, each pair on the runs that both were
scored on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.sound_files import shown
from training.evaluation.folders import INFO_FILES, EvaluationInfo, read_info, read_table
from training.evaluation.selection import N_NAMES
from training.statistics import ScoreName

Values = NDArray[np.float64]
Key = tuple[str, str]  # subject and run


@dataclass(frozen=True)
class Compared:
    """One of the two things that are compared.

    Attributes
    ----------
    folder : Path
        Folder of the evaluation.
    info : EvaluationInfo
        Settings of the evaluation.
    name : str
        The model, or the pattern.
    models : tuple of str
        Names, in the order of the evaluation.
    """

    folder: Path
    info: EvaluationInfo
    name: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class PairedScores:
    """Scores of both; ``(n_units, n_targets)`` for each subject.

    Attributes
    ----------
    a, b : dict
        By subject. A unit is a run, or a pair of models and a run if there are several.
    target_ids, target_names : tuple
        Targets common to both.
    excluded, notes : tuple of str
        Exclusions, and other remarks for the reader.
    """

    a: dict[str, Values]
    b: dict[str, Values]
    target_ids: tuple[int, ...]
    target_names: tuple[str, ...]
    excluded: tuple[str, ...]
    notes: tuple[str, ...]


def read_compared(text: str) -> Compared:
    """Parse ``EVAL`` or ``EVAL:MODEL``.

    Raises
    ------
    FileNotFoundError
        If there is no complete evaluation.
    ValueError
        If it does not contain the model, or contains several and none is named.
    """
    folder, pattern = Path(text), ""
    if not (folder / INFO_FILES[EvaluationInfo]).exists() and ":" in text:
        before, _, pattern = text.rpartition(":")
        folder = Path(before)
    info = read_info(folder, EvaluationInfo)
    names = [model.name for model in info.models]
    if not pattern and len(names) > 1:
        raise ValueError(
            f"{folder} holds several models ({shown(names, N_NAMES)}); name one, as in "
            f"{folder}:{names[0]}"
        )
    models = tuple(name for name in names if not pattern or fnmatchcase(name, pattern))
    if not models:
        raise ValueError(f"{folder} holds no model {pattern!r}; it has {shown(names, 20)}")
    return Compared(folder, info, pattern or names[0], models)


def pair(a: Compared, b: Compared, score: ScoreName) -> PairedScores:
    """Find the common runs and targets.

    Raises
    ------
    ValueError
        If the two are not comparable, or have nothing in common.
    """
    _refuse_unlike(a, b)
    names = dict(zip(a.info.target_ids, a.info.target_names, strict=True))
    shared = [target for target in b.info.target_ids if target in names]
    if not shared:
        raise ValueError(
            f"{a.name} and {b.name} share no target id: {a.folder} has "
            f"{shown(a.info.target_ids, N_NAMES)}; {b.folder} has "
            f"{shown(b.info.target_ids, N_NAMES)}"
        )
    excluded = [
        f"Targets {shown(more, 1000)} are left out: only {one.folder} has them."
        for one in (a, b)
        if (more := [target for target in one.info.target_ids if target not in shared])
    ]
    tables = [_scores(one, score, shared) for one in (a, b)]
    presented = [_presented(one) for one in (a, b)]
    units: list[dict[str, list[Values]]] = [{}, {}]
    pairs_of_sounds: dict[tuple[str, object], set[str]] = {}
    for one, other in zip(a.models, b.models, strict=True):
        from_a, from_b = tables[0].get(one, {}), tables[1].get(other, {})
        both = [
            key
            for key in from_a
            if key in from_b and presented[0][one, *key] == presented[1][other, *key]
        ]
        for name, own in ((one, from_a), (other, from_b)):
            if alone := [key for key in own if key not in both]:
                listed = shown([f"{subject}/{run}" for subject, run in alone], 3)
                excluded.append(
                    f"Not compared: {len(alone)} runs of {name} ({listed}), which the other "
                    "was not scored on, or not with the same sounds."
                )
        for subject, run in both:
            for rows, own in zip(units, (from_a, from_b), strict=True):
                rows.setdefault(subject, []).append(own[subject, run])
            for sound in presented[0][one, subject, run]:
                pairs_of_sounds.setdefault((subject, sound), set()).add(one)
    if not units[0]:
        raise ValueError(f"{a.name} and {b.name} have no runs in common. {' '.join(excluded)}")
    of_a, of_b = ({who: np.stack(rows) for who, rows in each.items()} for each in units)
    return PairedScores(
        of_a,
        of_b,
        tuple(shared),
        tuple(names[target] for target in shared),
        tuple(excluded),
        tuple(_notes(a, b, max(map(len, pairs_of_sounds.values())))),
    )


def _refuse_unlike(a: Compared, b: Compared) -> None:
    if (a.folder.resolve(), a.models) == (b.folder.resolve(), b.models):
        raise ValueError(f"{a.name} would be compared with itself; name two models")
    if a.info.kind != b.info.kind:
        raise ValueError(
            f"{a.folder} is of {a.info.kind} and {b.folder} of {b.info.kind}: they have no runs in "
            "common"
        )
    if a.info.atlas and b.info.atlas and a.info.atlas != b.info.atlas:
        raise ValueError(
            f"{a.folder} has targets of the atlas {a.info.atlas!r}, {b.folder} of "
            f"{b.info.atlas!r}: equal ids are not the same targets"
        )
    if len(a.models) != len(b.models):
        raise ValueError(
            f"{a.name} matches {len(a.models)} models ({shown(a.models, N_NAMES)}) and {b.name} "
            f"{len(b.models)} ({shown(b.models, N_NAMES)}); models are compared in pairs, so "
            "name as many in both"
        )


def _scores(
    one: Compared, score: ScoreName, target_ids: Sequence[int]
) -> dict[str, dict[Key, Values]]:
    """``(n_targets,)`` for each model, subject and run."""
    table = read_table(one.folder, "scores")
    table = table[table["model"].isin(one.models)]
    order = table[["model", "subject", "run"]].drop_duplicates()
    wide = table.pivot(index=["model", "subject", "run"], columns="target_id", values=score)
    found: dict[str, dict[Key, Values]] = {}
    for model, subject, run in order.itertuples(index=False):
        row = wide.loc[(model, subject, run), list(target_ids)]
        found.setdefault(model, {})[subject, run] = row.to_numpy(dtype=np.float64)
    return found


def _presented(one: Compared) -> dict[tuple[str, str, str], list[tuple[str, float, int]]]:
    """The stimuli of each model, subject and run."""
    table = read_table(one.folder, "runs")
    presented: dict[tuple[str, str, str], list[tuple[str, float, int]]] = {}
    columns = ["model", "subject", "run", "stimulus", "start", "n_trs"]
    for model, subject, run, *sound in table[columns].itertuples(index=False):
        presented.setdefault((model, subject, run), []).append(tuple(sound))
    return presented


def _notes(a: Compared, b: Compared, n_pairs_of_a_sound: int) -> list[str]:
    notes = []
    if a.info.dataset != b.info.dataset:
        notes.append(
            f"The two were scored on different datasets, {a.info.dataset} and {b.info.dataset}; "
            "a difference may be one of the data."
        )
    if a.info.split != b.info.split:
        notes.append(
            f"{a.name} was scored on {a.info.split} runs, {b.name} on {b.info.split} runs."
        )
    if len(a.models) > 1:
        pairs = ", ".join(
            f"{one} with {other}" for one, other in zip(a.models, b.models, strict=True)
        )
        notes.append(f"Pairs of models: {pairs}.")
        if n_pairs_of_a_sound > 1:
            notes.append(
                "The pairs' test splits overlap, and so do their training splits: differences of "
                "pairs are not independent, and p is smaller than it should be."
            )
    return notes
