"""Timing of the TRs of an image, from its header, JSON sidecars and the recipe.

The recipe takes precedence. Without it, header and sidecar must agree if both are given. A header
value a thousand times the sidecar's is in milliseconds, whatever its unit field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.sources.entities import parse_entities, suffix_of

TR_TOLERANCE = 1e-3  # seconds
# Scanners record volume times to a few milliseconds. Beyond this, the TR is considered irregular.
JITTER = 0.01  # seconds
LONGEST = 100.0  # seconds; a larger header value is in other units than stated
SECONDS_PER_UNIT = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
MOST_BYTES = 64 * 2**20  # fMRIPrep's largest are some kilobytes


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
    trs, files = _sidecar_trs(sidecars, n_trs)
    notes = []
    if in_header is not None:
        value, note = _in_seconds(in_header, [tr, *trs.values()])
        notes += [note] if note else []
        trs["the image's header"] = value
    if tr is not None:
        others = [
            f"{value:g} s by {_anonymous(who)}" for who, value in trs.items() if _far(value, tr)
        ]
        if others:
            notes.append(f"tr: {tr:g} s of the recipe is taken, not {', '.join(others)}")
        chosen = tr
    elif not trs:
        raise ValueError(f"{path}: neither header nor sidecar give the repetition time; give tr:")
    else:
        chosen = next(iter(trs.values()))
        if any(_far(value, chosen) for value in trs.values()):
            texts = ", ".join(f"{value:g} s by {who}" for who, value in trs.items())
            raise ValueError(
                f"{path}: the repetition time is {texts}; say which is right with tr: {chosen:g}"
            )
        if chosen > LONGEST:
            raise ValueError(
                f"{path}: the repetition time is {chosen:g} s by {next(iter(trs))}, which "
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
    trs: dict[str, float] = {}
    value, path = sidecars.get("RepetitionTime")
    if path is not None:
        trs[path.name] = _number(value, "RepetitionTime", path)
        if trs[path.name] <= 0:
            raise ValueError(f"{path}: RepetitionTime is {value!r}, expected seconds above 0")
    times, other = sidecars.get("VolumeTiming")
    if other is not None:
        trs[f"VolumeTiming in {other.name}"] = _regular_step(times, n_trs, other)
    return trs, [path, other]


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
    first, key, source = 0.0, "", None
    times, path = sidecars.get("VolumeTiming")
    if path is not None:
        first, key, source = _number(times[0], "VolumeTiming", path), "VolumeTiming", path
    value, path = sidecars.get("StartTime")
    if path is not None:
        first, key, source = _number(value, "StartTime", path), "StartTime", path
    if start_time is not None:
        note = f"start_time: TR 0 stands for {start_time:g} s of the run, not {first:g} s"
        return start_time, note if first != start_time else "", source
    if first:
        return first, f"TR 0 stands for {first:g} s of the run, by {key} in its sidecar", source
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


@dataclass(frozen=True)
class Sidecars:
    """Metadata of an image by BIDS's inheritance principle.

    A value is taken from the JSON file beside the image, or from one in a folder above, up to the
    root of the dataset, with the image's suffix and a subset of its entities, such as
    ``task-story_bold.json``. The nearest one takes precedence.

    Attributes
    ----------
    paths : tuple of Path
        The nearest first.
    documents : tuple of dict
        Their content.
    """

    paths: tuple[Path, ...]
    documents: tuple[dict[str, Any], ...]

    def get(self, key: str) -> tuple[Any, Path | None]:
        """A value and the file that contains it; None if it is missing or null."""
        for path, document in zip(self.paths, self.documents, strict=True):
            if document.get(key) is not None:
                return document[key], path
        return None, None


def read_sidecars(image: Path, root: Path) -> Sidecars:
    """The sidecars of `image`, which lies in the dataset `root`.

    Raises
    ------
    ValueError
        If one of them is not readable as JSON, or not a mapping.
    """
    paths = tuple(_candidates(image, root))
    return Sidecars(paths, tuple(_read_json(path) for path in paths))


def _candidates(image: Path, root: Path) -> Iterator[Path]:
    suffix, extension = suffix_of(image.name)
    own = image.with_name(image.name.removesuffix(extension) + ".json")
    if own.is_file():
        yield own
    entities = parse_entities(image.name)
    for folder in image.parents:
        applying = [
            path
            for path in folder.glob(f"*{suffix}.json")
            if path != own
            and path.is_file()
            and suffix_of(path.name) == (suffix, ".json")
            and parse_entities(path.name).items() <= entities.items()
        ]
        # Of two in one folder, the one with more entities of the image.
        yield from sorted(applying, key=lambda path: (-len(parse_entities(path.name)), path.name))
        if folder == root:
            return


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, a sidecar has at most {MOST_BYTES}")
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not readable as JSON ({error}); repair or remove it"
        ) from error
    if not isinstance(document, dict):
        raise ValueError(
            f"{path} is not readable as JSON with keys and values; repair or remove it"
        )
    return document
