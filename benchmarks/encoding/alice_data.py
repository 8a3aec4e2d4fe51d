"""Data of *Alice in Wonderland*: files of listeners, the story's stand-in, and regressors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.story import write_story
from benchmarks.encoding.text_grid import read_tier
from training.data.prepared import Prepared, Run
from training.prepare.preparation import PrepareRecipe, prepare

TR, START_S = 2.0, 20.0
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
# Seconds of the padded story; at least 15 s apart for delays and receptive fields.
SEGMENTS = {"train": (20.0, 390.0), "validation": (405.0, 500.0), "test": (515.0, 744.0)}
HIGH_PASS_S = 128.0

Courses = NDArray[np.float64]  # (n_listeners, n_trs, n_regions)


@dataclass(frozen=True)
class Recordings:
    """Measured responses of one side, and the run of each listener."""

    runs: tuple[Run, ...]
    measured: Courses


def speak_story(folder: Path, path: Path) -> float:
    """Write the stand-in for the story's audio; returns the share of words cut short."""
    (grid,) = sorted((folder / "alice_stim_shared").glob("*.TextGrid"))
    return write_story(read_tier(grid, "word"), path, progress=False)


def list_files(folder: Path, n_listeners: int | None) -> list[Path]:
    """Time courses, one file per listener.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    files = sorted((folder / "alice_data_shared" / "6mm").glob("s*-timecourses.txt"))
    if not files:
        raise FileNotFoundError(f"no time courses in {folder / 'alice_data_shared' / '6mm'}")
    return files[:n_listeners]


def without_drifts(file: Path, out: Path) -> Path:
    """A high-pass filtered copy (128 s), each segment separately.

    Within each segment the cosines below the cutoff are regressed out, like SPM's high-pass filter,
    so that the test segment does not affect the others.
    """
    values = np.loadtxt(file)
    if not np.ptp(values):
        return file  # corrupt: left to the source's error
    onsets = START_S + np.arange(len(values)) * TR
    for start, stop in SEGMENTS.values():
        inside = (onsets >= start) & (onsets + TR <= stop)
        n = int(inside.sum())
        n_cosines = int(2 * n * TR / HIGH_PASS_S)
        phase = np.pi * (np.arange(n) + 0.5) / n
        cosines = np.cos(phase[:, None] * np.arange(1, n_cosines + 1))
        part = values[inside]
        mean = part.mean(axis=0)
        fit, *_ = np.linalg.lstsq(cosines, part - mean, rcond=None)
        values[inside] = part - cosines @ fit
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(out, values)
    return out


def prepare_story(files: Sequence[Path], story: Path, out: Path) -> Prepared:
    """All listeners, each cut into the three segments."""
    segments = [
        {"name": name, "start": start, "stop": stop} for name, (start, stop) in SEGMENTS.items()
    ]
    runs = [{"file": file, "subject": listener_of(file)} for file in files]
    source = {
        "kind": "time_series",
        "tr": TR,
        "start": START_S,
        "stimuli": story,
        "runs": runs,
        "target_names": REGIONS,
        "segments": segments,
    }
    recipe = {"name": "alice", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def listener_of(file: Path) -> str:
    """``s17-timecourses.txt`` is of listener ``s17``."""
    match = re.match(r"s\d+", file.name)
    if match is None:
        raise ValueError(f"{file} does not begin with a listener's number such as s17")
    return match.group()


def recordings(prepared: Prepared, side: str) -> Recordings:
    """Responses of all listeners in one segment."""
    runs = tuple(run for run in prepared.runs if run.episode == side)
    return Recordings(runs, np.stack([prepared.bold(run) for run in runs]).astype(np.float64))


def regressors_of(folder: Path, run: Run) -> NDArray[np.float32]:
    """Sound power and word rate of a run, ``(n_trs, 2)``."""
    first = round((run.start - START_S) / TR)
    columns = [
        np.loadtxt(folder / "alice_data_shared" / f"{run.subject}-{name}.txt")
        for name in ("sndpwr", "rate")
    ]
    return np.stack(columns, axis=1)[first : first + run.n_trs].astype(np.float32)
