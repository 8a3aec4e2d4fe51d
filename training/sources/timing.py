"""Timing of the TRs of an image, from header, sidecars and recipe.

The recipe takes precedence. Without it, header and sidecar must agree if both are given. A header
value a thousand times the sidecar's is in milliseconds, whatever its unit field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.sources.sidecar import Sidecars

TR_TOLERANCE = 1e-3  # seconds
# Scanners record volume times to a few milliseconds. Beyond this, the TR is considered irregular.
JITTER = 0.01  # seconds
LONGEST = 100.0  # seconds; a larger header value is in other units than stated
SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


@dataclass(frozen=True)
class Timing:
    """Timing of an image: TR i is at ``first + i * tr`` seconds of the acquisition.

    Attributes
    ----------
    tr : float
        Repetition time in seconds.
    first : float
        Time of TR 0. After slice-time correction it is the reference time of the slices, for
        example the middle of the TR.
    notes : tuple of str
        Remarks, worded equally for all images concerned.
    files : tuple of Path
        Sidecars in folders above that were used.
    n_trs : int or None
        Number of TRs; None if the image was not opened.
    """

    tr: float
    first: float = 0.0
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    n_trs: int | None = None


def read_timing(
    path: Path,
    n_trs: int,
    in_header: float | None,
    sidecars: Sidecars,
    tr: float | None,
    start_time: float | None = None,
) -> Timing:
    """Timing of the TRs of an image.

    Parameters
    ----------
    path : Path
        Its file, for messages.
    n_trs : int
        Their number.
    in_header : float or None
        Repetition time in seconds by its header; None for "unknown".
    sidecars : Sidecars
        Of the image: ``RepetitionTime``, ``VolumeTiming``, ``StartTime`` are used.
    tr, start_time : float or None
        Repetition time and time of TR 0 from the recipe.

    Raises
    ------
    ValueError
        If the repetition time is unknown, header and sidecar differ without a value in the recipe,
        volumes are irregular, or a sidecar's value is not a number.
    """
    said, files = _sidecar_trs(sidecars, n_trs)
    notes = []
    if in_header is not None:
        value, note = _in_seconds(in_header, [tr, *said.values()])
        notes += [note] if note else []
        said["the image's header"] = value
    if tr is not None:
        others = [
            f"{value:g} s by {_anonymous(who)}" for who, value in said.items() if _far(value, tr)
        ]
        if others:
            notes.append(f"tr: {tr:g} s of the recipe is taken, not {', '.join(others)}")
        chosen = tr
    elif not said:
        raise ValueError(f"{path}: neither header nor sidecar give the repetition time; give tr:")
    else:
        chosen = next(iter(said.values()))
        if any(_far(value, chosen) for value in said.values()):
            texts = ", ".join(f"{value:g} s by {who}" for who, value in said.items())
            raise ValueError(
                f"{path}: the repetition time is {texts}; say which is right with tr: {chosen:g}"
            )
        if chosen > LONGEST:
            raise ValueError(
                f"{path}: the repetition time is {chosen:g} s by {next(iter(said))}, which "
                "seems to be in other units; give tr: in seconds"
            )
    first, note, source = _first(sidecars, start_time, chosen)
    notes += [note] if note else []
    own = path.with_name(path.name.partition(".")[0] + ".json")
    used = {file for file in (*files, source) if file is not None and file != own}
    return Timing(chosen, first, tuple(notes), tuple(sorted(used)), n_trs)


def grouped(notes: Mapping[str, Sequence[str]]) -> list[str]:
    """Findings of notes and the runs concerned, one line for each note."""
    return [f"{note}: in {len(runs)} runs, {', '.join(runs)}" for note, runs in notes.items()]


def _far(value: float, other: float) -> bool:
    return not abs(value - other) <= TR_TOLERANCE


def _anonymous(who: str) -> str:
    return "the sidecar" if who.endswith(".json") else who


def header_tr(image: Any) -> float | None:
    """Repetition time in the header of a NIfTI image in seconds; None for "unknown"."""
    try:
        unit = str(image.header.get_xyzt_units()[1])
    except KeyError:
        unit = "unknown"
    seconds = float(image.header["pixdim"][4]) * SECONDS_PER_UNIT.get(unit, 1.0)
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return round(seconds, 6)  # it is stored as float32


def _in_seconds(header: float, others: Sequence[float | None]) -> tuple[float, str]:
    """The header's value, in the unit that agrees with the others."""
    for other in others:
        for factor, unit in ((1e-3, "milliseconds"), (1e3, "seconds")):
            if other is not None and _far(header, other) and not _far(header * factor, other):
                meant = round(header * factor, 6)
                return meant, f"the image's header says {header:g} s, taken as {unit}: {meant:g} s"
    return header, ""


def _sidecar_trs(sidecars: Sidecars, n_trs: int) -> tuple[dict[str, float], list[Path | None]]:
    said: dict[str, float] = {}
    value, path = sidecars.get("RepetitionTime")
    if path is not None:
        said[path.name] = _number(value, "RepetitionTime", path)
        if said[path.name] <= 0:
            raise ValueError(f"{path}: RepetitionTime is {value!r}, expected seconds above 0")
    times, other = sidecars.get("VolumeTiming")
    if other is not None:
        said[f"VolumeTiming in {other.name}"] = _regular_step(times, n_trs, other)
    return said, [path, other]


def _regular_step(times: Any, n_trs: int, path: Path) -> float:
    """The interval of regularly spaced volumes."""
    volumes = [_number(time, "VolumeTiming", path) for time in _list(times, "VolumeTiming", path)]
    if len(volumes) != n_trs or n_trs < 2:
        raise ValueError(
            f"{path}: VolumeTiming has {len(volumes)} times for the {n_trs} TRs of its image; "
            "correct it"
        )
    step = (volumes[-1] - volumes[0]) / (n_trs - 1)
    usual = float(np.median(np.diff(volumes)))
    grid = volumes[0] + step * np.arange(n_trs)
    if not step > 0 or np.abs(volumes - grid).max() > JITTER:
        i = int(np.argmax(np.abs(np.diff(volumes) - usual)))
        raise ValueError(
            f"{path}: VolumeTiming is not regular: {usual:g} s from volume to volume, "
            f"{volumes[i + 1] - volumes[i]:g} s after volume {i}; responses are modelled at one "
            "TR: cut the image at the pauses into separate runs, each with its start in "
            "match.table, or exclude the run"
        )
    return round(step, 6)


def _first(
    sidecars: Sidecars, start_time: float | None, tr: float
) -> tuple[float, str, Path | None]:
    """The time of TR 0, remarks, and the sidecar that gives it."""
    said, key, source = 0.0, "", None
    times, path = sidecars.get("VolumeTiming")
    if path is not None:
        said, key, source = _number(times[0], "VolumeTiming", path), "VolumeTiming", path
    value, path = sidecars.get("StartTime")
    if path is not None:
        said, key, source = _number(value, "StartTime", path), "StartTime", path
    if start_time is not None:
        note = f"start_time: TR 0 stands for {start_time:g} s of the run, not {said:g} s"
        return start_time, note if said != start_time else "", source
    if said:
        return said, f"TR 0 stands for {said:g} s of the run, by {key} in its sidecar", source
    if sidecars.get("SliceTimingCorrected")[0] is True and not key:
        # fMRIPrep before 21 moved all slices to the middle of the TR and wrote no StartTime
        note = (
            "slice-time corrected without StartTime in the sidecar, so TR 0 is taken for 0 s of "
            f"the run; if slices were moved to the middle of the TR, set start_time: {tr / 2:g}"
        )
        return 0.0, note, None
    return 0.0, "", None


def _list(value: Any, key: str, path: Path) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{path}: {key} is {str(value)[:60]!r}, expected a list of seconds")
    return value


def _number(value: Any, key: str, path: Path) -> float:
    """A number, possibly written as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{path}: {key} is {str(value)[:60]!r}, expected seconds")
    return number
