"""What is checked in the numbers of a run, and z-scoring, which comes to nothing without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt

from training.collection_checks import label, listed
from training.config import Settings
from training.sources.source import Recording, Targets

_TIME_TOLERANCE_S = 1e-6


class RunRules(Settings):
    """What is refused, and what is let through with a finding.

    Attributes
    ----------
    short_scans : str
        {"refuse", "truncate"}: a scan that ends more than `missing_trs` TRs before its stimulus is
        an error, or is used as far as it goes.
    missing_trs : int
        How many TRs may be missing at the end without a word.
    constant_targets : str
        {"refuse", "missing"}: a target that does not vary within a run is an error, or counts as
        one that the subject lacks in this run.
    """

    short_scans: Literal["refuse", "truncate"] = "refuse"
    missing_trs: NonNegativeInt = 3
    constant_targets: Literal["refuse", "missing"] = "refuse"


def check_table(table: object, recording: Recording, targets: Targets) -> NDArray[Any]:
    """`table` itself if it is ``(n_trs, n_targets)`` numbers.

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


def fit_to_stimulus(
    table: NDArray[Any],
    recording: Recording,
    duration: float,
    rules: RunRules,
    *,
    is_last: bool = True,
) -> tuple[NDArray[Any], list[str]]:
    """The TRs that begin while the stimulus plays.

    Parameters
    ----------
    table : ndarray
        ``(n_trs, n_targets)``; TR i begins at ``start + i * tr`` of the stimulus.
    recording : Recording
        The run, for its `start` and `tr` in seconds.
    duration : float
        Of the stimulus in seconds.
    rules : RunRules
        What to refuse.
    is_last : bool
        Whether the scan should last as long as the stimulus. Not so where the same subject has a
        run that starts later in the same stimulus.

    Returns
    -------
    table : ndarray
        Its first rows; all where the scan ends before the stimulus.
    findings : list of str
        What was cut off or is missing.

    Raises
    ------
    ValueError
        If the scan is too short, or lies outside of the stimulus.
    """
    name, tr, n_trs = label(recording), recording.tr, len(table)
    n_kept = min(n_trs, max(0, math.ceil((duration - recording.start - _TIME_TOLERANCE_S) / tr)))
    end = recording.start + n_trs * tr
    if n_kept == 0 or end <= 0:
        raise ValueError(
            f"run {name} lasts from {recording.start:g} to {end:g} s of {recording.stimulus}, "
            f"which lasts {duration:.2f} s: they do not meet; check the start of the run, or "
            f"exclude {name}"
        )
    n_missing = (duration - end) / tr
    if is_last and n_missing > rules.missing_trs + _TIME_TOLERANCE_S:
        facts = (
            f"run {name} ends at {end:.2f} s of {recording.stimulus}, which lasts {duration:.2f} "
            f"s: {n_missing:.1f} TRs are missing"
        )
        if rules.short_scans == "refuse":
            raise ValueError(
                f"{facts}, {rules.missing_trs} may be; check that they belong together, then set "
                f"short_scans: truncate, or exclude {name}"
            )
        return table, [f"{facts}; used as far as it goes"]
    if n_kept == n_trs:
        return table, []
    return table[:n_kept], [
        f"run {name}: {n_trs - n_kept} of {n_trs} TRs cut off that begin after the end of "
        f"{recording.stimulus} ({duration:.2f} s)"
    ]


def z_score(
    table: NDArray[Any], name: str, rows: Sequence[str], targets: Targets, rules: RunRules
) -> tuple[NDArray[np.float32], list[str]]:
    """Every column minus its mean over its standard deviation, ``z = (x - mean) / std``.

    Computed in float64. A column of NaN, a target that is missing, stays as it is.

    Parameters
    ----------
    table : ndarray
        ``(n_rows, n_targets)``.
    name : str
        What the table is, for messages.
    rows : sequence of str
        What each row is, for messages.
    targets : Targets
        The columns.
    rules : RunRules
        Whether a constant column is an error or missing.

    Returns
    -------
    scores : ndarray
        float32 ``(n_rows, n_targets)``.
    findings : list of str
        Which targets were constant.

    Raises
    ------
    ValueError
        For infinite values, a column that is NaN in places, constant columns, or no values.
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
    # What varies by no more than the rounding of its own type does not vary.
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
        facts = f"{name}: {len(ids)} of {len(missing)} targets are constant (ids {listed(ids)})"
        if rules.constant_targets == "refuse":
            raise ValueError(
                f"{facts} and have no z-scores; exclude it, or set constant_targets: missing"
            )
        findings = [f"{facts}; they count as missing"]
    deviation[constant] = np.nan
    return ((values - mean) / deviation).astype(np.float32), findings
