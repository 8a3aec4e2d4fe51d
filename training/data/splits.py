"""Splits of runs into training, validation (early stopping) and test.

The unit is the *episode*: runs that share it, for example the two halves of one episode, or one
stimulus presented twice or to several subjects, are always in the same split. One stimulus in two
splits is an error, because the test score would measure memorisation.

In a cross-validation the test splits are folds: every run is in exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from hear_brainsoundnet.sound_files import shown
from training.config import Settings, added_setting
from training.data.prepared import Run

SPLITS = ("train", "validation", "test")


class Selection(Settings):
    """Runs of one split; unset fields select nothing.

    Attributes
    ----------
    seasons, episodes, sessions : tuple of str
        Runs of these.
    runs : tuple of str
        Runs whose name matches one of these patterns (``"ses-0*_task-s04*"``).
    count : int
        Number of episodes, drawn at random from the remaining ones.
    fraction : float
        Fraction of the remaining episodes, drawn at random, at least one.
    """

    seasons: tuple[str, ...] = ()
    episodes: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    count: Annotated[int, Field(ge=0)] = 0
    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0


class SplitSettings(Settings):
    """The test split is selected first, then validation from the rest; the remaining runs are
    trained on.

    Attributes
    ----------
    test, validation : Selection
        Selection of held-out runs.
    seed : int
        Seed of random selections.
    n_folds, fold : int or None
        Of `n_folds` folds of about the same number of TRs, `fold` (1 to `n_folds`) is the test
        split; `fit --folds` fits all. They are the same for any seed.
    fold_unit : str
        {"run", "episode", "season", "session"}: what a fold holds whole, at least episodes.
    """

    test: Selection = Selection()
    validation: Selection = Selection(fraction=0.25)
    seed: int = 42
    n_folds: Annotated[int, Field(ge=2)] | None = added_setting(None)
    fold: Annotated[int, Field(ge=1)] | None = added_setting(None)
    fold_unit: Literal["run", "episode", "season", "session"] = added_setting("episode")

    @model_validator(mode="after")
    def _one_test_split(self) -> SplitSettings:
        if self.n_folds is None and self.fold is None:
            return self
        if self.test != Selection():
            raise ValueError("test and n_folds both choose the test runs; leave one out")
        if self.n_folds is None or self.fold is None:
            raise ValueError("n_folds and fold need each other; fit --folds sets both")
        if self.fold > self.n_folds:
            raise ValueError(f"fold {self.fold} is beyond the last of {self.n_folds} folds")
        return self


@dataclass(frozen=True)
class Splits:
    """The runs in each split, in the order of the dataset."""

    train: tuple[Run, ...]
    validation: tuple[Run, ...]
    test: tuple[Run, ...]

    def names(self) -> dict[str, list[str]]:
        """``subject/run`` in each split, for provenance."""
        return {
            split: [f"{run.subject}/{run.name}" for run in getattr(self, split)] for split in SPLITS
        }


def split_runs(runs: Sequence[Run], settings: SplitSettings) -> Splits:
    """Assign each run to a split.

    Parameters
    ----------
    runs : sequence of Run
        All runs of the selected subjects.
    settings : SplitSettings
        Selection of held-out runs.

    Raises
    ------
    ValueError
        If a selection matches no run, a run is in two splits, two splits share a stimulus, or there
        are no training or validation runs.

    Examples
    --------
    >>> def run(name):
    ...     return Run("sub-01", name, name, "", name[:6], name[:3], 0.0, 1.49, 480)
    >>> runs = [run(f"s0{s}e0{e}{half}") for s in (1, 2) for e in (1, 2, 3) for half in "ab"]
    >>> splits = split_runs(runs, SplitSettings(test=Selection(seasons=["s02"])))
    >>> [len(split) for split in (splits.train, splits.validation, splits.test)]
    [4, 2, 6]
    """
    generator = np.random.default_rng(settings.seed)
    if settings.n_folds and settings.fold:
        folds = folds_of(runs, settings.n_folds, settings.fold_unit)
        test = [run for run in runs if folds[run] == settings.fold]
    else:
        test = _select(runs, settings.test, "test", generator)
    rest = [run for run in runs if run not in test]
    validation = _select(rest, settings.validation, "validation", generator)
    train = [run for run in rest if run not in validation]
    splits = Splits(
        *(tuple(run for run in runs if run in split) for split in (train, validation, test))
    )
    if not splits.train:
        raise ValueError("split: this leaves nothing to train on; hold out less")
    if not splits.validation:
        raise ValueError("split: this leaves no validation runs, which decide when training stops")
    _refuse_leaks(splits)
    return splits


def folds_of(runs: Sequence[Run], n_folds: int, unit: str) -> dict[Run, int]:
    """The fold of each run, 1 to `n_folds`.

    The longest group of runs goes first, each to the fold with the fewest TRs so far.

    Raises
    ------
    ValueError
        If there are fewer groups than folds, or runs without a group.
    """
    group_of = {run: run.name if unit == "run" else str(getattr(run, unit)) for run in runs}
    n_trs: dict[str, int] = dict.fromkeys(sorted(group_of.values()), 0)
    for run, group in group_of.items():
        n_trs[group] += run.n_trs
    if "" in n_trs:
        run = next(run for run in runs if not group_of[run])
        raise ValueError(f"split: fold_unit={unit}, but run {run.name} has no {unit}")
    if n_folds > len(n_trs):
        raise ValueError(
            f"split: {n_folds} folds need as many {unit}s, there are {len(n_trs)}: "
            f"{shown(list(n_trs), 1000)}"
        )
    sizes = [0] * n_folds
    fold_of: dict[str, int] = {}
    for group in sorted(n_trs, key=lambda group: -n_trs[group]):  # stable: then by name
        smallest = sizes.index(min(sizes))
        fold_of[group] = smallest + 1
        sizes[smallest] += n_trs[group]
    return {run: fold_of[group] for run, group in group_of.items()}


def _select(
    runs: Sequence[Run], selection: Selection, split: str, generator: np.random.Generator
) -> list[Run]:
    chosen: set[Run] = set()
    for field in ("season", "episode", "session"):
        for value in getattr(selection, field + "s"):
            found = [run for run in runs if getattr(run, field) == value]
            if not found:
                known = sorted({getattr(run, field) for run in runs} - {""}) or ["none"]
                raise ValueError(
                    f"split: no run has {field} {value!r} for {split}; there are "
                    f"{shown(known, 1000)}"
                )
            chosen.update(found)
    for pattern in selection.runs:
        found = [run for run in runs if fnmatchcase(run.name, pattern)]
        if not found:
            raise ValueError(
                f"split: no run matches {pattern!r} for {split}; there are "
                f"{shown([run.name for run in runs], 1000)}"
            )
        chosen.update(found)
    left = sorted({run.episode for run in runs} - {run.episode for run in chosen})
    count = selection.count
    if selection.fraction:
        count += max(1, round(selection.fraction * len(left)))
    if count > len(left):
        raise ValueError(
            f"split: {count} episodes were requested for {split}, {len(left)} are left"
        )
    drawn = {left[i] for i in generator.permutation(len(left))[:count]}
    chosen.update(run for run in runs if run.episode in drawn)
    return [run for run in runs if run in chosen]


def _refuse_leaks(splits: Splits) -> None:
    """Reject an episode, or a moment of a stimulus, in two splits."""
    split_of: dict[str, tuple[str, Run]] = {}
    presented: dict[str, list[tuple[float, float, str, Run]]] = {}
    for split in SPLITS:
        for run in getattr(splits, split):
            other_split, other = split_of.setdefault(run.episode, (split, run))
            if other_split != split:
                raise ValueError(
                    f"split: this would leak: {other.name} ({other.subject}, {other_split}) and "
                    f"{run.name} ({run.subject}, {split}) belong to the same episode "
                    f"{run.episode!r}, whose sounds overlap; hold out whole episodes or seasons"
                )
            stop = run.start + run.n_trs * run.tr
            for other_start, other_stop, other_split, other in presented.setdefault(
                run.stimulus, []
            ):
                meet = run.tr == 0 or (run.start < other_stop and other_start < stop)
                if other_split != split and meet:
                    raise ValueError(
                        f"split: this would leak: {other.name} ({other_split}) and {run.name} "
                        f"({split}) contain the same part of stimulus {run.stimulus!r}"
                    )
            presented[run.stimulus].append((run.start, stop, split, run))
