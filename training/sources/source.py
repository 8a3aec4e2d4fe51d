"""Interface of all sources to the preparation."""

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
    image : nibabel.Nifti1Image, nibabel.Cifti2Image or None
        An image whose values are the ids (0 elsewhere), in the volume or on the surface, for maps.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    atlas: str = ""
    image: Any = None


@dataclass(frozen=True)
class Recording:
    """One run of one subject, loaded on demand.

    Attributes
    ----------
    subject, run, stimulus, session, episode, season, start, tr
        As in :class:`training.data.prepared.Run`.
    load : callable
        Returns the responses, ``(n_trs, n_targets)``, columns as in the source's targets, before
        z-scoring; a column of NaN for a target missing in this subject.
    files : sequence of Path
        Files that `load` reads: when one of them changes, the run is prepared again.
    motion : callable or None
        Returns the framewise displacement in mm, ``(n_trs,)``, for the summary.
    n_trs : int or None
        Number of TRs, if known before loading.
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
    """Result of a source's search, before any large file is read.

    Attributes
    ----------
    kind : str
        {"time_series", "sound_responses"}.
    targets : Targets
        The columns.
    recordings : list of Recording
        Runs with a stimulus.
    stimuli : dict
        Name of a stimulus to its audio or video file; exactly those of the recordings.
    findings : list of str
        Remarks and exclusions, as ``KIND: WHAT`` (see :mod:`training.data.findings`): a run without
        stimulus, a stimulus without run, a repeat.
    """

    kind: Literal["time_series", "sound_responses"]
    targets: Targets
    recordings: list[Recording]
    stimuli: dict[str, Path]
    findings: list[str] = field(default_factory=list)


class Source(Protocol):
    """Validated settings of one kind of source, as in a recipe."""

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """Search the files; raises ValueError if they are inconsistent.

        Parameters
        ----------
        exclude : sequence of str
            Patterns of runs that will be left out, see :func:`is_excluded`: errors in these runs
            need not be raised.
        """
        ...


def is_excluded(subject: str, run: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches the subject or, if it has a slash, ``SUBJECT/RUN``.

    Examples
    --------
    >>> is_excluded("sub-03", "ses-001_task-film", ["sub-0[34]/*_task-film"])
    True
    """
    return any(
        fnmatchcase(f"{subject}/{run}" if "/" in pattern else subject, pattern)
        for pattern in patterns
    )
