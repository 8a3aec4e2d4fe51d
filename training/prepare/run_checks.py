"""Quality checks of a run's table of responses, then z-scoring per target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt

from training.config import Settings
from training.prepare.collection_checks import label, listed
from training.sources.source import Recording, Targets

DROP_START = 12.0  # seconds
_TIME_TOLERANCE_S = 1e-6


class RunRules(Settings):
    """Rules for rejecting runs or accepting them with a finding.

    Attributes
    ----------
    short_scans : str
        {"refuse", "truncate"}: a scan that ends more than `missing_trs` TRs before its stimulus is
        an error, or is used up to its end.
    missing_trs : int
        Number of TRs that may be missing at the end without a finding.
    drop_start : float
        TRs that begin within so many seconds from the start of the stimulus are left out. All runs
        share the response to the onset of sound; runs that have nothing else in common are alike
        through it, and p values too small. The canonical response to a brief onset is back at its
        baseline after 12 s.
    constant_targets : str
        {"refuse", "missing"}: a target that is constant within a run is an error, or counts as
        missing in this run.
    """

    short_scans: Literal["refuse", "truncate"] = "refuse"
    missing_trs: NonNegativeInt = 3
    drop_start: Annotated[float, Field(ge=0, le=600)] = DROP_START
    constant_targets: Literal["refuse", "missing"] = "refuse"


def check_table(table: object, recording: Recording, targets: Targets) -> NDArray[Any]:
    """`table` itself if it is a numeric ``(n_trs, n_targets)`` array.

    Raises
    ------
    ValueError
        If it has another shape, no rows, or is not made of real numbers.
    """
    name = f"run {label(recording)}"
    values = np.asarray(table)
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected real numbers, got {values.dtype}; check its file")
    if values.ndim != 2 or values.shape[1] != len(targets.ids) or len(values) == 0:
        raise ValueError(
            f"{name}: expected (n_trs, {len(targets.ids)}) responses, got shape {values.shape}; "
            "check that its file belongs to this atlas"
        )
    return values


@dataclass(frozen=True)
class Extent:
    """Position of a run in its stimulus.

    Attributes
    ----------
    recording : Recording
        The run, for its `start` and `tr` in seconds.
    n_trs : int
        TR i begins at ``start + i * tr`` of the stimulus.
    duration : float
        Duration of the stimulus in seconds.
    is_last : bool
        Whether the scan should last as long as the stimulus; false if the same subject has a run
        that starts later in the same stimulus.
    """

    recording: Recording
    n_trs: int
    duration: float
    is_last: bool = True

    @property
    def end(self) -> float:
        """End of the scan, in seconds of the stimulus."""
        return self.recording.start + self.n_trs * self.recording.tr

    def n_dropped(self, rules: RunRules) -> int:
        """Number of first TRs within :attr:`RunRules.drop_start` of the stimulus."""
        if not rules.drop_start:
            return 0
        seconds = rules.drop_start - self.recording.start - _TIME_TOLERANCE_S
        return max(0, math.ceil(seconds / self.recording.tr))

    @property
    def n_kept(self) -> int:
        """Number of TRs that begin before the stimulus ends."""
        seconds = self.duration - self.recording.start - _TIME_TOLERANCE_S
        return min(self.n_trs, max(0, math.ceil(seconds / self.recording.tr)))

    @property
    def is_outside(self) -> bool:
        """Whether scan and stimulus do not overlap."""
        return self.n_kept == 0 or self.end <= 0

    def n_missing(self) -> float:
        """TRs between the end of the scan and that of the stimulus; 0 if it may end earlier."""
        return (self.duration - self.end) / self.recording.tr if self.is_last else 0.0

    def is_short(self, rules: RunRules) -> bool:
        """Whether more TRs than allowed are missing at the end."""
        return self.n_missing() > rules.missing_trs + _TIME_TOLERANCE_S

    def in_words(self) -> str:
        """For messages."""
        name, stimulus = label(self.recording), self.recording.stimulus
        lengths = f"of {self.duration:.2f} s of {stimulus}"
        if self.is_outside:
            return f"{name} (from {self.recording.start:g} to {self.end:g} s {lengths})"
        return f"{name} (ends at {self.end:.2f} s {lengths}, {self.n_missing():.1f} TRs missing)"


def check_extents(extents: Sequence[Extent], rules: RunRules) -> None:
    """Reject runs outside their stimulus or too short, all in one message.

    Raises
    ------
    ValueError
        If there are such runs.
    """
    outside = [each for each in extents if each.is_outside]
    if outside:
        raise ValueError(
            f"{len(outside)} of {len(extents)} runs lie outside of their stimulus: "
            f"{listed([each.in_words() for each in outside])}; check the start of each, or exclude "
            f"{_them(outside)}"
        )
    short = [each for each in extents if each.is_short(rules)]
    if short and rules.short_scans == "refuse":
        raise ValueError(
            f"{len(short)} of {len(extents)} runs end more than {rules.missing_trs} TRs before "
            f"their stimulus: {listed([each.in_words() for each in short])}; check that they "
            f"belong together, then set short_scans: truncate, or exclude {_them(short)}"
        )


def fit_to_stimulus(
    table: NDArray[Any], extent: Extent, rules: RunRules
) -> tuple[NDArray[Any], list[str]]:
    """The TRs that begin while the stimulus plays, those at its start left out.

    Parameters
    ----------
    table : ndarray
        ``(n_trs, n_targets)``.
    extent : Extent
        Position of the run.
    rules : RunRules
        Rejection rules.

    Returns
    -------
    table : ndarray
        Its rows from :meth:`Extent.n_dropped` on.
    findings : list of str
        What was cut off or is missing.

    Raises
    ------
    ValueError
        If the scan is too short, outside the stimulus, or all at its start.
    """
    check_extents([extent], rules)
    n_trs, n_kept, n_dropped = extent.n_trs, extent.n_kept, extent.n_dropped(rules)
    if n_dropped >= n_kept:
        raise ValueError(
            f"run {label(extent.recording)}: none of its {n_kept} TRs begins later than "
            f"{rules.drop_start:g} s after the start of the stimulus (drop_start); set "
            "drop_start: 0 for runs as short as this"
        )
    if extent.is_short(rules):
        return table[n_dropped:], [
            f"runs that end before their stimulus, used as far as they go: {extent.in_words()}"
        ]
    if n_kept == n_trs:
        return table[n_dropped:], []
    return table[n_dropped:n_kept], [
        "TRs that begin after the end of the stimulus are cut off: "
        f"{label(extent.recording)} ({n_trs - n_kept} of {n_trs}, "
        f"{extent.recording.stimulus} lasts {extent.duration:.2f} s)"
    ]


def _them(extents: Sequence[Extent]) -> str:
    return label(extents[0].recording) if len(extents) == 1 else "them"


def z_score(
    table: NDArray[Any], name: str, rows: Sequence[str], targets: Targets, rules: RunRules
) -> tuple[NDArray[np.float32], list[str]]:
    """z-scores of every column, ``z = (x - mean) / std``.

    Computed in float64. A column of NaN, a missing target, is unchanged.

    Parameters
    ----------
    table : ndarray
        ``(n_rows, n_targets)``.
    name : str
        Name of the table, for messages.
    rows : sequence of str
        Name of each row, for messages.
    targets : Targets
        The columns.
    rules : RunRules
        Whether a constant column is an error or missing.

    Returns
    -------
    scores : ndarray
        float32 ``(n_rows, n_targets)``.
    findings : list of str
        Constant targets.

    Raises
    ------
    ValueError
        For infinite values, a partly NaN column, constant columns, or no values.
    """
    finite = np.isfinite(table)
    missing = np.isnan(table).all(axis=0)
    wrong = ~finite & ~missing
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name}: {table[row, column]} at {rows[row]} of target {targets.ids[column]} "
            f"({targets.names[column]}), {wrong.any(axis=0).sum()} targets in all; expected "
            "numbers, or NaN throughout where a target is missing: repair or exclude it"
        )
    values = table.astype(np.float64)
    mean = values.mean(axis=0)
    deviation = values.std(axis=0)
    # Variation within the rounding error of the dtype counts as constant.
    precision = np.finfo(table.dtype if table.dtype.kind == "f" else np.float64).eps
    with np.errstate(invalid="ignore"):
        constant = ~missing & (deviation <= 4 * precision * np.abs(values).max(axis=0))
    ids = [targets.ids[column] for column in np.flatnonzero(constant)]
    if (missing | constant).all():
        raise ValueError(
            f"{name} has no target that varies ({missing.sum()} missing, {len(ids)} constant); "
            "exclude it"
        )
    findings = []
    if ids:
        facts = f"{len(ids)} of {len(missing)}, ids {listed(ids)}"
        if rules.constant_targets == "refuse":
            raise ValueError(
                f"{name}: targets are constant and have no z-scores ({facts}); exclude it, or set "
                "constant_targets: missing"
            )
        findings = [
            "targets that are constant within a run and count as missing: "
            f"{name.removeprefix('run ')} ({facts})"
        ]
    deviation[constant] = np.nan
    return ((values - mean) / deviation).astype(np.float32), findings
