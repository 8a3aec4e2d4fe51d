"""Runs with the same stimulus: repeats within a subject, and the same stimulus across subjects.

A *presentation* is a stretch of a stimulus and its repetition index within a subject: the stimulus,
the onset of TR 0 in it, and 0, 1, ... for the first, the second presentation. Subjects' runs of the
same presentation are matched. Sounds without a time axis are one run, in which each sound is a
presentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Run
from training.fitting.predicting import compared_together

Presentation = tuple[str, float, int]


@dataclass(frozen=True)
class Part:
    """Rows of a run of one subject that other subjects have, too.

    Attributes
    ----------
    run : str
        Name, as in predictions.
    members : tuple of Run
        The run; or all sounds, one for each row of the whole table.
    rows : ndarray of int
        Indices in the whole table.
    """

    run: str
    members: tuple[Run, ...]
    rows: NDArray[np.int64]

    @property
    def is_whole(self) -> bool:
        """Whether these are all rows, in order."""
        n_rows = sum(run.n_trs for run in self.members)
        return len(self.rows) == n_rows and bool((np.diff(self.rows) == 1).all())


def presentations(runs: Sequence[Run]) -> dict[Presentation, Run]:
    """Runs of one subject by presentation, in the order of the dataset.

    Examples
    --------
    >>> runs = [Run("sub-01", name, "a", "", "a", "", 0.0, 2.0, 9) for name in ("one", "two")]
    >>> list(presentations(runs))
    [('a', 0.0, 0), ('a', 0.0, 1)]
    """
    found: dict[Presentation, Run] = {}
    count: dict[tuple[str, float], int] = {}
    for run in runs:
        sound = (run.stimulus, round(run.start, 3))
        found[(*sound, count.get(sound, 0))] = run
        count[sound] = count.get(sound, 0) + 1
    return found


def common_parts(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[Part]]:
    """Presentations common to all subjects, in the same order and cut to the same length.

    Parameters
    ----------
    runs : mapping
        Runs of each subject.

    Returns
    -------
    dict
        Parts of each subject; empty lists if nothing is common.
    """
    presented = {subject: presentations(own) for subject, own in runs.items()}
    first, *others = presented.values()
    common = [key for key in first if all(key in other for other in others)]
    parts: dict[str, list[Part]] = {subject: [] for subject in runs}
    for subject, own in presented.items():
        members = [own[key] for key in common]
        if members and members[0].tr == 0:
            ((_, name, every),) = compared_together(list(runs[subject]))
            place = {run: row for row, run in enumerate(every)}
            rows = np.array([place[run] for run in members])
            parts[subject].append(Part(name, tuple(every), rows))
            continue
        for key, run in zip(common, members, strict=True):
            n_trs = min(other[key].n_trs for other in presented.values())
            parts[subject].append(Part(run.name, (run,), np.arange(n_trs)))
    return parts


def repeated(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of one subject with the same stimulus, at least two per group."""
    groups: dict[tuple[str, float], list[Run]] = {}
    for (stimulus, start, _), run in presentations(runs).items():
        groups.setdefault((stimulus, start), []).append(run)
    return [group for group in groups.values() if len(group) > 1]
