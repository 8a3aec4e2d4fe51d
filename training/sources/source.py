"""What every source offers to the preparation, whatever its files look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Targets:
    """The columns of a dataset.

    Attributes
    ----------
    ids : tuple of int
        Ascending.
    names : tuple of str
        One each.
    atlas : str
        Name of the atlas, or empty.
    image : nibabel.Nifti1Image or None
        An image whose voxel values are the ids (0 elsewhere), where values can be drawn.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    atlas: str = ""
    image: Any = None


@dataclass(frozen=True)
class Recording:
    """One run of one subject that can be loaded when its turn comes.

    Attributes
    ----------
    subject, run, stimulus, session, episode, season, start, tr
        As in :class:`training.prepared.Run`.
    load : callable
        Returns the responses, ``(n_trs, n_targets)``, columns as in the source's targets, before
        z-scoring; a column of NaN where this subject lacks a target.
    files : sequence of Path
        What `load` reads: when one of them changes, the run is prepared again.
    motion : callable or None
        Returns the framewise displacement in mm, ``(n_trs,)``, for the summary.
    n_trs : int or None
        How many TRs it has, where that is known before it is loaded.
    """

    subject: str
    run: str
    stimulus: str
    load: Callable[[], NDArray[Any]]
    tr: float
    start: float = 0.0
    session: str = ""
    episode: str = ""
    season: str = ""
    files: Sequence[Path] = ()
    motion: Callable[[], NDArray[np.float64]] | None = None
    n_trs: int | None = None


@dataclass(frozen=True)
class Collection:
    """All that a source has found, before anything big is read.

    Attributes
    ----------
    kind : str
        {"time_series", "sound_responses"}.
    targets : Targets
        The columns.
    recordings : list of Recording
        Runs that have a stimulus.
    stimuli : dict
        Name of a stimulus to its audio or video file; exactly those that recordings refer to.
    findings : list of str
        What was noticed and left out, as ``KIND: WHAT`` (see :mod:`training.findings`): a run
        without stimulus, a stimulus without run, a repeat.
    """

    kind: Literal["time_series", "sound_responses"]
    targets: Targets
    recordings: list[Recording]
    stimuli: dict[str, Path]
    findings: list[str] = field(default_factory=list)


class Source(Protocol):
    """The validated settings of one kind of source, as they stand in a recipe."""

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Look through the files; raises ValueError where they contradict each other.

        Parameters
        ----------
        exclude : sequence of str
            Patterns of runs that will be left out, see :func:`is_excluded`: what is wrong with one
            of them need not be an error.
        """
        ...


def is_excluded(subject: str, run: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits the subject or, if it has a slash, ``SUBJECT/RUN``.

    Examples
    --------
    >>> is_excluded("sub-03", "ses-001_task-film", ["sub-0[34]/*_task-film"])
    True
    """
    return any(
        fnmatchcase(f"{subject}/{run}" if "/" in pattern else subject, pattern)
        for pattern in patterns
    )
